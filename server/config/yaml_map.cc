#include "config/yaml_map.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace rls {

bool IsMergeKey(const YamlNode& key) {
  return key.IsScalar() && key.Scalar() == "<<" && !key.IsQuoted();
}

YamlMap::YamlMap(YamlReader& reader, const YamlNode& node,
                 absl::string_view what,
                 const std::vector<absl::string_view>& keys)
    : reader_(reader), node_(node), what_(what) {
  if (!node.IsMap()) {
    reader_.Unexpected(node, what, "a map");
    return;
  }
  AddAll(node, keys);
}

void YamlMap::AddAll(const YamlNode& map,
                     const std::vector<absl::string_view>& keys) {
  const size_t from = values_.size();
  for (const auto& entry : map.Entries()) {
    if (reader_.IsDone()) return;
    if (!IsMergeKey(entry.first)) Add(entry.first, entry.second, keys, from);
  }
  for (const auto& entry : map.Entries()) {
    if (IsMergeKey(entry.first)) Merge(entry.second, keys);
  }
}

void YamlMap::Merge(const YamlNode& value,
                    const std::vector<absl::string_view>& keys) {
  if (value.IsMap()) {
    AddAll(value, keys);
    return;
  }
  bool are_maps = value.IsSequence();
  for (const YamlNode& map : value.Items()) {
    are_maps = are_maps && map.IsMap();
    if (are_maps) AddAll(map, keys);
  }
  if (!are_maps) {
    reader_.Unexpected(value, "<<", "a map, or a list of maps, to merge");
  }
}

void YamlMap::Add(const YamlNode& key, const YamlNode& value,
                  const std::vector<absl::string_view>& keys, size_t from) {
  if (!key.IsScalar()) {
    reader_.Unexpected(key, absl::StrCat("a key of ", what_), "text");
    return;
  }
  const absl::string_view name = key.Scalar();
  if (std::find(keys.begin(), keys.end(), name) == keys.end()) {
    FailUnknown(key, keys);
    return;
  }
  const auto known =
      std::find_if(values_.begin(), values_.end(),
                   [&](const auto& entry) { return entry.first == name; });
  if (known == values_.end()) {
    values_.emplace_back(name, value);
    return;
  }
  // A map that merges this one has the key, too.
  if (known < values_.begin() + static_cast<std::ptrdiff_t>(from)) return;
  const std::string text = absl::StrCat("key ", Quoted(name), " of ", what_);
  if (reader_.takes_mistakes()) {
    reader_.Warn(key, absl::StrCat(text,
                                   " occurs again: the value before it, "
                                   "on line ",
                                   known->second.line(), ", is ignored"));
    known->second = value;
  } else {
    reader_.Fail(key, absl::StrCat(text, " occurs twice"));
  }
}

void YamlMap::FailUnknown(const YamlNode& key,
                          const std::vector<absl::string_view>& keys) {
  const absl::string_view name = key.Scalar();
  if (reader_.IsKnown(name)) {
    reader_.Warn(key, absl::StrCat("key ", Quoted(name), " has no meaning in ",
                                   what_, " and is ignored"));
    return;
  }
  const std::string hint = DidYouMean(name, keys);
  reader_.Fail(
      key, absl::StrCat("unknown key ", Quoted(name), " in ", what_,
                        hint.empty() ? absl::StrCat("; expected one of ",
                                                    absl::StrJoin(keys, ", "))
                                     : hint));
}

const YamlNode* YamlMap::Find(absl::string_view key) const {
  for (const auto& [name, value] : values_) {
    if (name == key) return value.IsNull() ? nullptr : &value;
  }
  return nullptr;
}

const YamlNode* YamlMap::Read(absl::string_view key, bool& into) const {
  const YamlNode* node = Find(key);
  if (node == nullptr) return nullptr;
  if (const auto value = reader_.Boolean(*node, key)) into = *value;
  return node;
}

const YamlNode* YamlMap::ReadName(absl::string_view key,
                                  std::string& into) const {
  const YamlNode* node = Find(key);
  if (node == nullptr) return nullptr;
  if (auto value = reader_.Name(*node, key)) into = *std::move(value);
  return node;
}

const YamlNode* YamlMap::ReadHeaderName(absl::string_view key,
                                        std::string& into) const {
  const YamlNode* node = Find(key);
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

const YamlNode* YamlMap::ReadInteger(absl::string_view key, int64_t least,
                                     int64_t most, int64_t& into) const {
  const YamlNode* node = Find(key);
  if (node == nullptr) return nullptr;
  if (const auto value = reader_.Integer(*node, key, least, most)) {
    into = *value;
  }
  return node;
}

const YamlNode* YamlMap::ReadDuration(absl::string_view key,
                                      absl::Duration least, absl::Duration most,
                                      absl::Duration& into) const {
  const YamlNode* node = Find(key);
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
    if (const YamlNode* node = Find(key)) {
      reader_.Fail(*node, absl::StrCat(key, why));
    }
  }
}

}  // namespace rls
