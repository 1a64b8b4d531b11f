#ifndef RLS_CONFIG_IDENTITY_FORMAT_H_
#define RLS_CONFIG_IDENTITY_FORMAT_H_

#include <vector>

#include "config/yaml_map.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads `identity:` of the map: where in a descriptor the user is looked for.
void ReadIdentity(const YamlMap& map, std::vector<IdentityKey>& identity);

}  // namespace rls

#endif  // RLS_CONFIG_IDENTITY_FORMAT_H_
