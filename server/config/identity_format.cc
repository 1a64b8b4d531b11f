#include "config/identity_format.h"

namespace rls {
namespace {

// Where a user is looked for unless `identity:` says otherwise.
std::vector<IdentityKey> DefaultIdentity() {
  return {{.key = "user_id"},
          {.key = "authorization", .strip_prefix = "Bearer "},
          {.key = "api_key"}};
}

}  // namespace

void ReadIdentity(const YamlMap& map, std::vector<IdentityKey>& into) {
  YamlReader& reader = map.reader();
  const YAML::Node* list = map.Find("identity");
  if (list == nullptr) {
    into = DefaultIdentity();
    return;
  }
  if (!list->IsSequence() || list->size() == 0) {
    reader.Unexpected(*list, "identity", "a list of descriptor keys");
    return;
  }
  for (const YAML::Node& item : *list) {
    IdentityKey& identity = into.emplace_back();
    if (item.IsScalar()) {
      identity.key = reader.Name(item, "identity").value_or("");
      continue;
    }
    const YamlMap entry(reader, item, "identity", {"key", "strip_prefix"});
    if (item.IsMap() && entry.ReadName("key", identity.key) == nullptr) {
      reader.Fail(item, "identity: an entry without key");
    }
    if (const YAML::Node* prefix = entry.Find("strip_prefix")) {
      identity.strip_prefix = reader.Text(*prefix, "strip_prefix").value_or("");
    }
  }
}

}  // namespace rls
