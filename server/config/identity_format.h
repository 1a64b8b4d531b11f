#ifndef RLS_CONFIG_IDENTITY_FORMAT_H_
#define RLS_CONFIG_IDENTITY_FORMAT_H_

#include <optional>
#include <string>
#include <vector>

#include "config/yaml_map.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads `identity:` of the map: where in a descriptor the user is looked for.
void ReadIdentity(const YamlMap& map, std::vector<IdentityKey>& identity);

// `user` as a file names it: "sha256:" and the digest of a key that the file
// need not hold, or the user. Gives the digest, none for a user; a digest that
// is none is a mistake.
std::optional<std::string> HashOfUser(YamlReader& reader,
                                      const YAML::Node& node,
                                      const std::string& user);

// Reads `exempt:`, a list of users and networks.
void ReadExempt(const YamlMap& map, std::optional<ExemptSpec>& exempt);

// Reads `anonymous:`, the limit of requests that no listed user makes.
void ReadAnonymous(const YamlMap& map, std::optional<AnonymousSpec>& anonymous);

}  // namespace rls

#endif  // RLS_CONFIG_IDENTITY_FORMAT_H_
