#ifndef RLS_CONFIG_MERGE_DOMAINS_H_
#define RLS_CONFIG_MERGE_DOMAINS_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "config/file_states.h"
#include "config/load.h"

namespace rls {

// MERGE_DOMAIN_CONFIG of envoyproxy/ratelimit: several files may contain one
// domain. The descriptors of the files are put together in the order of the
// paths.

using DomainCompiler =
    std::function<absl::StatusOr<std::shared_ptr<const Domain>>(DomainSpec)>;

// Compiles the domains of the files that have a `spec`, and gives each of these
// files the whole domain. Two equal descriptors on the top level are an error
// that names both places.
//
// If any file of a domain is bad, the whole domain keeps its last good rules,
// as `before` has them. A file that is gone no longer contributes.
void MergeDomains(const FileStates& before, std::vector<FoundFile>& found,
                  const DomainCompiler& compile,
                  std::vector<ConfigError>& errors);

}  // namespace rls

#endif  // RLS_CONFIG_MERGE_DOMAINS_H_
