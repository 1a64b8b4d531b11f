#ifndef RLS_CONFIG_LEASE_FORMAT_H_
#define RLS_CONFIG_LEASE_FORMAT_H_

#include <optional>

#include "config/yaml_map.h"
#include "limit/lease.h"

namespace rls {

// `lease:` of a limit: {max_share: 5%, ttl: 1s}, which are what is not said.
void ReadLease(const YamlMap& map, std::optional<LeaseTerms>& lease);

}  // namespace rls

#endif  // RLS_CONFIG_LEASE_FORMAT_H_
