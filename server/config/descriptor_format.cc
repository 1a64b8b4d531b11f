#include "config/descriptor_format.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/limit_format.h"
#include "config/yaml_map.h"

namespace rls {
namespace {

constexpr int64_t kMaxRequestsPerUnit = UINT32_MAX;

// Reads `unit`, in any letter case, as the reference does.
std::optional<absl::Duration> UnitLength(YamlReader& reader,
                                         const YAML::Node& node) {
  static const auto* const words = new std::vector<absl::string_view>{
      "second", "minute", "hour", "day", "week", "month", "year"};
  static constexpr int64_t kSeconds[] = {1,      60,      3600,    86400,
                                         604800, 2592000, 31536000};
  if (node.IsScalar()) {
    const std::string word = absl::AsciiStrToLower(node.Scalar());
    for (size_t i = 0; i < words->size(); ++i) {
      if (word == (*words)[i]) return absl::Seconds(kSeconds[i]);
    }
  }
  // Not one of them: the reader words the error.
  (void)reader.Word(node, "unit", *words);
  return std::nullopt;
}

std::optional<absl::Duration> WindowLength(YamlReader& reader,
                                           const YAML::Node& node) {
  const std::optional<std::string> text = reader.Text(node, "window");
  if (!text.has_value()) return std::nullopt;
  const std::optional<absl::Duration> length = ParseWindow(*text);
  if (!length.has_value()) reader.Unexpected(node, "window", kWindowText);
  return length;
}

class DescriptorFormat {
 public:
  DescriptorFormat(YamlReader& reader, OnBackendError on_backend_error)
      : reader_(reader), on_backend_error_(on_backend_error) {}

  // The descriptors of one level. `path` names the parent, "" for none.
  void ReadLevel(const YAML::Node& list, const std::string& path, int depth,
                 std::vector<RuleNode>& nodes) {
    if (!list.IsSequence()) {
      reader_.Unexpected(list, "descriptors", "a list");
      return;
    }
    if (depth > kMaxRuleDepth) {
      reader_.Fail(list, absl::StrCat("descriptors are nested deeper than ",
                                      kMaxRuleDepth, " levels"));
      return;
    }
    absl::flat_hash_set<std::pair<std::string, std::string>> names;
    for (const YAML::Node& item : list) {
      RuleNode node;
      ReadNode(item, path, depth, node);
      if (!names.emplace(node.key, node.value).second && !node.key.empty()) {
        reader_.Fail(item,
                     absl::StrCat("a descriptor with key ", Quoted(node.key),
                                  " and value ", Quoted(node.value),
                                  " is on this level already"));
      }
      nodes.push_back(std::move(node));
    }
  }

 private:
  void ReadNode(const YAML::Node& item, const std::string& parent, int depth,
                RuleNode& node) {
    const YamlMap map(reader_, item, "a descriptor",
                      {"key", "value", "rate_limit", "descriptors",
                       "shadow_mode", "quota_mode", "share_threshold",
                       "detailed_metric", "value_to_metric", "metadata"});
    map.Refuse({"detailed_metric", "value_to_metric", "metadata"},
               " is not supported yet");
    if (item.IsMap() && map.ReadName("key", node.key) == nullptr) {
      reader_.Fail(item, "a descriptor without key");
    }
    ReadValue(map, node);
    // A gateway may put the path, which metadata carries, into a header.
    const std::string name = EscapeControls(
        node.value.empty() ? node.key
                           : absl::StrCat(node.key, "_", node.value));
    const std::string path =
        parent.empty() ? name : absl::StrCat(parent, ".", name);
    if (const YAML::Node* limit = map.Find("rate_limit")) {
      ReadRule(*limit, map, path, node);
    } else {
      // They say nothing without a limit; a mistake is one all the same.
      Rule unused;
      ReadModes(map, unused);
    }
    if (const YAML::Node* list = map.Find("descriptors")) {
      ReadLevel(*list, path, depth + 1, node.children);
    }
  }

  void ReadValue(const YamlMap& map, RuleNode& node) {
    if (const YAML::Node* value = map.Find("value")) {
      if (auto text = reader_.Text(*value, "value")) {
        node.value = *std::move(text);
      }
    }
    const YAML::Node* share = map.Read("share_threshold", node.share);
    if (node.share && node.value.find('*') == std::string::npos) {
      reader_.Fail(*share, "share_threshold needs a * in value");
    }
  }

  static void ReadModes(const YamlMap& descriptor, Rule& rule) {
    descriptor.Read("shadow_mode", rule.shadow);
    descriptor.Read("quota_mode", rule.quota);
  }

  void ReadRule(const YAML::Node& limit, const YamlMap& descriptor,
                const std::string& path, RuleNode& node) {
    if (++rules_ == kMaxRules + 1) {
      reader_.Fail(limit, absl::StrCat("more than ", kMaxRules, " limits"));
    }
    Rule& rule = node.rule.emplace();
    rule.path = path;
    rule.on_backend_error = on_backend_error_;
    ReadModes(descriptor, rule);
    const YamlMap map(
        reader_, limit, "rate_limit",
        WithLimitKeys({"unit", "requests_per_unit", "unlimited", "name",
                       "replaces", "window", "metadata"}));
    map.Refuse({"metadata"}, " is not supported yet");
    map.ReadName("name", rule.name);
    ReadReplaces(map, rule);
    map.Read("unlimited", rule.unlimited);
    if (rule.unlimited) {
      CheckUnlimited(map);
      return;
    }
    map.ReadInteger("requests_per_unit", 0, kMaxRequestsPerUnit,
                    rule.policy.limit);
    ReadLimitKeys(map, ReadWindow(map, rule.policy), rule);
  }

  void CheckUnlimited(const YamlMap& map) {
    map.Refuse(LimitKeys(), " does not go with unlimited");
    map.Refuse({"window"}, " does not go with unlimited");
    const YAML::Node* unit = map.Find("unit");
    if (unit == nullptr || !unit->IsScalar()) return;
    if (absl::AsciiStrToLower(unit->Scalar()) == "unknown") return;
    reader_.Fail(*unit, "unit does not go with unlimited");
  }

  // The window's length; gives the key that told it, "" for a calendar.
  absl::string_view ReadWindow(const YamlMap& map, Policy& policy) {
    const YAML::Node* unit = map.Find("unit");
    const YAML::Node* window = map.Find("window");
    if (unit != nullptr && window != nullptr) {
      reader_.Fail(*window, "unit and window exclude each other");
    }
    if (unit != nullptr) {
      policy.window = UnitLength(reader_, *unit).value_or(policy.window);
      return "unit";
    }
    if (window != nullptr) {
      policy.window = WindowLength(reader_, *window).value_or(policy.window);
      return "window";
    }
    if (map.node().IsMap() && map.Find("calendar") == nullptr) {
      reader_.Fail(map.node(),
                   "rate_limit: found no window, expected unit, window or "
                   "calendar");
    }
    return "";
  }

  void ReadReplaces(const YamlMap& map, Rule& rule) {
    const YAML::Node* list = map.Find("replaces");
    if (list == nullptr) return;
    if (!list->IsSequence()) {
      reader_.Unexpected(*list, "replaces", "a list of maps with name");
      return;
    }
    for (const YAML::Node& item : *list) {
      const YamlMap entry(reader_, item, "replaces", {"name"});
      std::string name;
      if (entry.ReadName("name", name) == nullptr && item.IsMap()) {
        reader_.Fail(item, "replaces: an entry without name");
      }
      if (name.empty()) continue;
      if (name == rule.name) {
        reader_.Fail(item, absl::StrCat("replaces: ", Quoted(name),
                                        " cannot replace itself"));
      }
      rule.replaces.push_back(std::move(name));
    }
  }

  YamlReader& reader_;
  const OnBackendError on_backend_error_;  // of limits that say nothing
  size_t rules_ = 0;
};

}  // namespace

void ReadDescriptorFormat(YamlReader& reader, const YAML::Node& root,
                          LoadedFile& file) {
  const YamlMap map(
      reader, root, "the file",
      {"domain", "descriptors", "accounting", "on_backend_error", "redis"});
  DomainSpec& domain = file.domain.emplace();
  if (map.ReadName("domain", domain.name) == nullptr) {
    reader.Fail(root, "domain: found nothing, expected a name");
  }
  file.domain_name = domain.name;
  ReadAccounting(map, domain.accounting);
  OnBackendError on_backend_error = OnBackendError::kError;
  ReadOnBackendError(map, on_backend_error);
  if (const YAML::Node* list = map.Find("descriptors")) {
    DescriptorFormat(reader, on_backend_error)
        .ReadLevel(*list, "", 1, domain.nodes);
  }
}

}  // namespace rls
