#ifndef RLS_CONFIG_FINGERPRINT_H_
#define RLS_CONFIG_FINGERPRINT_H_

#include <string>
#include <vector>

namespace rls {

// A text that changes whenever a file below one of the paths is added, removed,
// replaced, edited or reached through another symbolic link. It does not read
// the files: see docs/decisions/0002-polling-for-config-changes.md.
std::string Fingerprint(const std::vector<std::string>& paths);

// 16 hexadecimal digits that tell one list of texts from another; the same for
// every process, so that replicas can be compared.
std::string ContentHash(const std::vector<std::string>& texts);

}  // namespace rls

#endif  // RLS_CONFIG_FINGERPRINT_H_
