#include "xds/struct_metadata.h"

#include <google/protobuf/struct.pb.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

class StructReader {
 public:
  Metadata Map(const Struct& from, int depth) {
    Metadata map;
    is_too_deep_ |= depth > kMaxMetadataDepth;
    if (is_too_deep_) return map;
    for (const auto& [key, value] : from.fields()) {
      map.emplace(key, Convert(value, depth));
    }
    return map;
  }

  bool is_too_deep() const { return is_too_deep_; }

 private:
  MetadataValue Convert(const Value& from, int depth) {
    switch (from.kind_case()) {
      case Value::kBoolValue:
        return {from.bool_value()};
      case Value::kNumberValue:
        return {from.number_value()};
      case Value::kStringValue:
        return {from.string_value()};
      case Value::kStructValue:
        return {Map(from.struct_value(), depth + 1)};
      case Value::kListValue:
        return {List(from, depth + 1)};
      default:
        return {};
    }
  }

  MetadataValue::List List(const Value& from, int depth) {
    MetadataValue::List list;
    is_too_deep_ |= depth > kMaxMetadataDepth;
    if (is_too_deep_) return list;
    for (const Value& item : from.list_value().values()) {
      list.push_back(Convert(item, depth));
    }
    return list;
  }

  bool is_too_deep_ = false;
};

}  // namespace

absl::StatusOr<Metadata> MetadataOf(const Struct& from) {
  StructReader reader;
  Metadata metadata = reader.Map(from, 1);
  if (!reader.is_too_deep()) return metadata;
  return absl::InvalidArgumentError(absl::StrCat(
      "metadata is nested deeper than ", kMaxMetadataDepth, " levels"));
}

}  // namespace rls
