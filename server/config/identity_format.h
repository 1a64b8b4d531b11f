#ifndef RLS_CONFIG_IDENTITY_FORMAT_H_
#define RLS_CONFIG_IDENTITY_FORMAT_H_

#include <optional>
#include <string>
#include <vector>

#include "config/yaml_map.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads `identity:` of the map: the descriptor keys that may contain the user.
void ReadIdentity(const YamlMap& map, std::vector<IdentityKey>& identity,
                  ShownUsers& shown);

// A file names a user either directly, or as "sha256:" and the digest of the
// user, so that the file need not contain API keys. Returns the digest, or
// nullopt for a user that is named directly. A malformed digest is an error.
std::optional<std::string> HashOfUser(YamlReader& reader, const YamlNode& node,
                                      const std::string& user);

// Reads `exempt:`, a list of users and networks.
void ReadExempt(const YamlMap& map, std::optional<ExemptSpec>& exempt);

// Reads `anonymous:`, the limit of requests without a listed user.
void ReadAnonymous(const YamlMap& map, std::optional<AnonymousSpec>& anonymous);

}  // namespace rls

#endif  // RLS_CONFIG_IDENTITY_FORMAT_H_
