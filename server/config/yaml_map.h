#ifndef RLS_CONFIG_YAML_MAP_H_
#define RLS_CONFIG_YAML_MAP_H_

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config/yaml_reader.h"

namespace rls {

// The entries of a map whose keys are known beforehand. Every key that is not
// known, not text, or there twice is a mistake.
class YamlMap {
 public:
  // `what` names the map in error texts, e.g. "rate_limit".
  YamlMap(YamlReader& reader, const YAML::Node& node, absl::string_view what,
          const std::vector<absl::string_view>& keys);

  YamlReader& reader() const { return reader_; }
  const YAML::Node& node() const { return node_; }
  const std::string& what() const { return what_; }

  // The node of a key, or null when it is missing or empty.
  const YAML::Node* Find(absl::string_view key) const;

  // Each of these reads the value of a key into `into`, which stays as it is
  // when the key is missing or its value a mistake. Gives the value's node,
  // null when the key is missing.
  const YAML::Node* Read(absl::string_view key, bool& into) const;
  const YAML::Node* ReadName(absl::string_view key, std::string& into) const;
  // The name of a header, in lower case.
  const YAML::Node* ReadHeaderName(absl::string_view key,
                                   std::string& into) const;
  const YAML::Node* ReadInteger(absl::string_view key, int64_t least,
                                int64_t most, int64_t& into) const;

  // As absl::ParseDuration() has it, such as 30s, 500ms or 1h30m.
  const YAML::Node* ReadDuration(absl::string_view key, absl::Duration least,
                                 absl::Duration most,
                                 absl::Duration& into) const;

  // A mistake for each of these keys that is there.
  void Refuse(const std::vector<absl::string_view>& keys,
              absl::string_view why) const;

 private:
  // The entries of one map; `<<: *anchor` merges the entries of another one, of
  // which the nearer map's own win.
  void AddAll(const YAML::Node& map, const std::vector<absl::string_view>& keys,
              bool merged);
  void Merge(const YAML::Node& value,
             const std::vector<absl::string_view>& keys);
  void Add(const YAML::Node& key, const YAML::Node& value,
           const std::vector<absl::string_view>& keys, bool merged);

  YamlReader& reader_;
  const YAML::Node node_;
  const std::string what_;
  absl::flat_hash_map<std::string, YAML::Node> values_;
};

}  // namespace rls

#endif  // RLS_CONFIG_YAML_MAP_H_
