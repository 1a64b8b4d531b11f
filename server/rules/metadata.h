#ifndef RLS_RULES_METADATA_H_
#define RLS_RULES_METADATA_H_

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace rls {

// A value of a rule's metadata: data of the operator that answers give to the
// gateway unchanged. It has the types of JSON.
struct MetadataValue {
  using List = std::vector<MetadataValue>;
  using Map = std::map<std::string, MetadataValue>;

  // The first type stands for null.
  std::variant<std::monostate, bool, double, std::string, List, Map> value;
};

using Metadata = MetadataValue::Map;

// The most levels of maps and lists. Each level takes three levels of messages
// in an answer, and readers of protobuf accept 100.
inline constexpr int kMaxMetadataDepth = 16;

}  // namespace rls

#endif  // RLS_RULES_METADATA_H_
