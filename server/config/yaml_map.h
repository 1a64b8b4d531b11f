#ifndef RLS_CONFIG_YAML_MAP_H_
#define RLS_CONFIG_YAML_MAP_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config/yaml_reader.h"

namespace rls {

// `<<` without quotes merges. In quotes it is an ordinary key.
bool IsMergeKey(const YamlNode& key);

// A YAML map with a fixed set of keys. It is an error if a key is not in this
// set, is not text, or occurs twice; YamlReader::TakeMistakes() makes warnings
// of some of these errors.
class YamlMap {
 public:
  // `what` is the map's name in error texts, such as "rate_limit".
  YamlMap(YamlReader& reader, const YamlNode& node, absl::string_view what,
          const std::vector<absl::string_view>& keys);

  YamlReader& reader() const { return reader_; }
  const YamlNode& node() const { return node_; }
  const std::string& what() const { return what_; }

  // The node of a key; null if the key is missing or its value is empty.
  const YamlNode* Find(absl::string_view key) const;

  // These methods read the value of a key into `into`. If the key is missing or
  // its value is invalid, `into` stays unchanged. They return the value's node,
  // or null if the key is missing.
  const YamlNode* Read(absl::string_view key, bool& into) const;
  const YamlNode* ReadName(absl::string_view key, std::string& into) const;
  // Reads the name of a header and converts it to lower case.
  const YamlNode* ReadHeaderName(absl::string_view key,
                                 std::string& into) const;
  const YamlNode* ReadInteger(absl::string_view key, int64_t least,
                              int64_t most, int64_t& into) const;

  // In the syntax of absl::ParseDuration(), such as 30s, 500ms or 1h30m.
  const YamlNode* ReadDuration(absl::string_view key, absl::Duration least,
                               absl::Duration most, absl::Duration& into) const;

  // Adds an error for each of these keys that is present: the key, then `why`.
  void Refuse(const std::vector<absl::string_view>& keys,
              absl::string_view why) const;

 private:
  // Adds the entries of one map. `<<: *anchor` merges the entries of another
  // map; the entries of the merging map take precedence.
  void AddAll(const YamlNode& map, const std::vector<absl::string_view>& keys);
  void Merge(const YamlNode& value, const std::vector<absl::string_view>& keys);
  // `from` is the index of the first of values_ that belongs to the same map.
  void Add(const YamlNode& key, const YamlNode& value,
           const std::vector<absl::string_view>& keys, size_t from);
  void FailUnknown(const YamlNode& key,
                   const std::vector<absl::string_view>& keys);

  YamlReader& reader_;
  const YamlNode node_;
  const std::string what_;
  // Few, so a search that compares all is the fastest.
  absl::InlinedVector<std::pair<absl::string_view, YamlNode>, 8> values_;
};

}  // namespace rls

#endif  // RLS_CONFIG_YAML_MAP_H_
