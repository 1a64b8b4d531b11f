#include "config/yaml_map.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace rls {
namespace {

// Plain: in quotes it is a key like any other.
bool IsMergeKey(const YAML::Node& key) {
  return key.IsScalar() && key.Scalar() == "<<" && key.Tag() != "!";
}

}  // namespace

YamlMap::YamlMap(YamlReader& reader, const YAML::Node& node,
                 absl::string_view what,
                 const std::vector<absl::string_view>& keys)
    : reader_(reader), node_(node), what_(what) {
  if (!node.IsMap()) {
    reader_.Unexpected(node, what, "a map");
    return;
  }
  AddAll(node, keys, /*merged=*/false);
}

void YamlMap::AddAll(const YAML::Node& map,
                     const std::vector<absl::string_view>& keys, bool merged) {
  for (const auto& entry : map) {
    if (!IsMergeKey(entry.first)) Add(entry.first, entry.second, keys, merged);
  }
  for (const auto& entry : map) {
    if (IsMergeKey(entry.first)) Merge(entry.second, keys);
  }
}

void YamlMap::Merge(const YAML::Node& value,
                    const std::vector<absl::string_view>& keys) {
  if (value.IsMap()) {
    AddAll(value, keys, /*merged=*/true);
    return;
  }
  bool are_maps = value.IsSequence();
  for (const YAML::Node& map : value) {
    are_maps = are_maps && map.IsMap();
    if (are_maps) AddAll(map, keys, /*merged=*/true);
  }
  if (!are_maps) {
    reader_.Unexpected(value, "<<", "a map, or a list of maps, to merge");
  }
}

void YamlMap::Add(const YAML::Node& key, const YAML::Node& value,
                  const std::vector<absl::string_view>& keys, bool merged) {
  if (!key.IsScalar()) {
    reader_.Unexpected(key, absl::StrCat("a key of ", what_), "text");
    return;
  }
  const std::string& name = key.Scalar();
  if (std::find(keys.begin(), keys.end(), name) == keys.end()) {
    const std::string hint = DidYouMean(name, keys);
    reader_.Fail(
        key, absl::StrCat("unknown key ", Quoted(name), " in ", what_,
                          hint.empty() ? absl::StrCat("; expected one of ",
                                                      absl::StrJoin(keys, ", "))
                                       : hint));
    return;
  }
  if (!values_.emplace(name, value).second && !merged) {
    reader_.Fail(key, absl::StrCat("key ", Quoted(name), " of ", what_,
                                   " is there twice"));
  }
}

const YAML::Node* YamlMap::Find(absl::string_view key) const {
  const auto it = values_.find(key);
  return it == values_.end() || it->second.IsNull() ? nullptr : &it->second;
}

const YAML::Node* YamlMap::Read(absl::string_view key, bool& into) const {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return nullptr;
  if (const auto value = reader_.Boolean(*node, key)) into = *value;
  return node;
}

const YAML::Node* YamlMap::ReadName(absl::string_view key,
                                    std::string& into) const {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return nullptr;
  if (auto value = reader_.Name(*node, key)) into = *std::move(value);
  return node;
}

const YAML::Node* YamlMap::ReadHeaderName(absl::string_view key,
                                          std::string& into) const {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return nullptr;
  const auto text = reader_.Text(*node, key);
  if (!text.has_value()) return node;
  if (IsHeaderName(*text)) {
    into = absl::AsciiStrToLower(*text);
  } else {
    reader_.Unexpected(*node, key, "the name of a header, such as x-model");
  }
  return node;
}

const YAML::Node* YamlMap::ReadInteger(absl::string_view key, int64_t least,
                                       int64_t most, int64_t& into) const {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return nullptr;
  if (const auto value = reader_.Integer(*node, key, least, most)) {
    into = *value;
  }
  return node;
}

const YAML::Node* YamlMap::ReadDuration(absl::string_view key,
                                        absl::Duration least,
                                        absl::Duration most,
                                        absl::Duration& into) const {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return nullptr;
  const std::optional<std::string> text = reader_.Text(*node, key);
  if (!text.has_value()) return node;
  absl::Duration duration;
  if (absl::ParseDuration(*text, &duration) && duration >= least &&
      duration <= most) {
    into = duration;
  } else {
    reader_.Unexpected(
        *node, key,
        absl::StrCat("a duration from ", absl::FormatDuration(least), " to ",
                     absl::FormatDuration(most), ", such as 500ms, 30s or 5m"));
  }
  return node;
}

void YamlMap::Refuse(const std::vector<absl::string_view>& keys,
                     absl::string_view why) const {
  for (const absl::string_view key : keys) {
    if (const YAML::Node* node = Find(key)) {
      reader_.Fail(*node, absl::StrCat(key, why));
    }
  }
}

}  // namespace rls
