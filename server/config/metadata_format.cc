#include "config/metadata_format.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/yaml_map.h"

namespace rls {
namespace {

template <size_t size>
bool IsOneOf(absl::string_view text, const absl::string_view (&words)[size]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// A decimal number with a point or an exponent.
std::optional<double> ParseFloat(absl::string_view text) {
  double value = 0;
  // absl::SimpleAtod() reads words such as nan, too.
  const bool is_decimal =
      text.find_first_not_of("0123456789+-.eE") == text.npos &&
      text.find_first_of("0123456789") != text.npos;
  if (!is_decimal || !absl::SimpleAtod(text, &value)) return std::nullopt;
  return value;
}

MetadataValue Scalar(const YamlNode& node) {
  const absl::string_view text = node.Scalar();
  if (node.IsQuoted()) return {std::string(text)};
  if (IsOneOf(text, {"", "~", "null", "Null", "NULL"})) return {};
  if (IsOneOf(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On",
                     "ON", "y", "Y"})) {
    return {true};
  }
  if (IsOneOf(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off",
                     "OFF", "n", "N"})) {
    return {false};
  }
  if (const auto integer = ParseYamlInteger(text)) {
    return {static_cast<double>(*integer)};
  }
  if (const auto number = ParseFloat(text)) return {*number};
  return {std::string(text)};
}

class MetadataReader {
 public:
  explicit MetadataReader(YamlReader& reader) : reader_(reader) {}

  MetadataValue Value(const YamlNode& node, int depth) {
    if (node.IsNull()) return {};
    if (node.IsScalar()) return Scalar(node);
    if (depth > kMaxMetadataDepth) {
      reader_.Fail(node, absl::StrCat("metadata is nested deeper than ",
                                      kMaxMetadataDepth, " levels"));
      return {};
    }
    if (node.IsMap()) return {Map(node, depth)};
    MetadataValue::List list;
    for (const YamlNode& item : node.Items()) {
      list.push_back(Value(item, depth + 1));
    }
    return {std::move(list)};
  }

  Metadata Map(const YamlNode& node, int depth) {
    Metadata map;
    for (const auto& [key, value] : node.Entries()) {
      if (reader_.IsDone()) break;
      if (IsMergeKey(key)) {
        Merge(value, depth, map);
      } else if (key.IsScalar()) {
        const bool is_new = map.insert_or_assign(std::string(key.Scalar()),
                                                 Value(value, depth + 1))
                                .second;
        if (!is_new) Repeated(key);
      } else {
        reader_.Unexpected(key, "a key of metadata", "text");
      }
    }
    return map;
  }

 private:
  void Repeated(const YamlNode& key) {
    reader_.Warn(key, absl::StrCat("key ", Quoted(key.Scalar()),
                                   " of metadata occurs again: the value "
                                   "before it is ignored"));
  }

  // The entries of the map itself take precedence.
  void Merge(const YamlNode& from, int depth, Metadata& map) {
    if (from.IsMap()) {
      map.merge(Map(from, depth));
    } else if (from.IsSequence()) {
      for (const YamlNode& item : from.Items()) {
        if (item.IsMap()) map.merge(Map(item, depth));
      }
    } else {
      reader_.Unexpected(from, "<<", "a map, or a list of maps, to merge");
    }
  }

  YamlReader& reader_;
};

}  // namespace

std::shared_ptr<const Metadata> ReadMetadata(YamlReader& reader,
                                             const YamlNode& node) {
  if (!node.IsMap()) {
    reader.Unexpected(node, "metadata", "a map");
    return nullptr;
  }
  Metadata map = MetadataReader(reader).Map(node, 1);
  if (map.empty()) return nullptr;
  return std::make_shared<const Metadata>(std::move(map));
}

}  // namespace rls
