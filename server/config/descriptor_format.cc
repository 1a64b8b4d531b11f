#include "config/descriptor_format.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/limit_format.h"
#include "config/metadata_format.h"
#include "config/yaml_map.h"
#include "rules/secret_keys.h"

namespace rls {
namespace {

constexpr int64_t kMaxRequestsPerUnit = UINT32_MAX;

// The keys that envoyproxy/ratelimit takes in any map.
constexpr absl::string_view kReferenceKeys[] = {"domain",
                                                "descriptors",
                                                "key",
                                                "value",
                                                "rate_limit",
                                                "unit",
                                                "unlimited",
                                                "requests_per_unit",
                                                "shadow_mode",
                                                "quota_mode",
                                                "name",
                                                "replaces",
                                                "detailed_metric",
                                                "value_to_metric",
                                                "metadata",
                                                "share_threshold"};

// Reads `unit` in any letter case, as envoyproxy/ratelimit does.
std::optional<absl::Duration> UnitLength(YamlReader& reader,
                                         const YamlNode& node) {
  if (node.IsScalar()) {
    const WindowUnit* unit = FindUnit(absl::AsciiStrToLower(node.Scalar()));
    if (unit != nullptr) return unit->length;
  }
  // Records the error, as no word matches.
  (void)reader.Word(node, "unit", UnitWords());
  return std::nullopt;
}

std::optional<absl::Duration> WindowLength(YamlReader& reader,
                                           const YamlNode& node) {
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

  // Reads the descriptors of one level. `path` is the parent's path, "" at the
  // top.
  void ReadLevel(const YamlNode& list, const std::string& path, int depth,
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
    nodes.reserve(std::min(list.size(), kMaxRules));
    for (const YamlNode& item : list.Items()) {
      if (reader_.IsDone()) return;
      if (++nodes_ > kMaxRules) {
        if (nodes_ == kMaxRules + 1) {
          reader_.Fail(item,
                       absl::StrCat("more than ", kMaxRules, " descriptors"));
        }
        return;
      }
      ReadNode(item, path, depth, nodes.emplace_back());
    }
    CheckNames(list, nodes);
  }

 private:
  void CheckNames(const YamlNode& list, const std::vector<RuleNode>& nodes) {
    absl::flat_hash_set<std::pair<absl::string_view, absl::string_view>> names;
    names.reserve(nodes.size());
    auto node = nodes.begin();
    for (const YamlNode& item : list.Items()) {
      const bool is_new = names.emplace(node->key, node->value).second;
      if (!is_new && !node->key.empty()) {
        reader_.Fail(item,
                     absl::StrCat("a descriptor with key ", Quoted(node->key),
                                  " and value ", Quoted(ShownValue(*node)),
                                  " is already on this level"));
      }
      ++node;
    }
  }

  void ReadNode(const YamlNode& item, const std::string& parent, int depth,
                RuleNode& node) {
    const YamlMap map(
        reader_, item, "a descriptor",
        {"key", "value", "rate_limit", "descriptors", "shadow_mode",
         "quota_mode", "share_threshold", "secret", "public", "ipv4_prefix",
         "ipv6_prefix", "metadata", "detailed_metric", "value_to_metric"});
    if (item.IsMap() && map.ReadName("key", node.key) == nullptr) {
      reader_.Fail(item, "a descriptor without key");
    }
    ReadValue(map, node);
    node.secret = ReadSecret(map);
    ReadNetworks(map, node);
    map.Read("detailed_metric", node.detailed_metric);
    map.Read("value_to_metric", node.value_to_metric);
    // Dynamic metadata contains the path, and a gateway may copy it into a
    // header. So the path must not contain control characters.
    const std::string name = EscapeControls(
        node.value.empty() ? node.key
                           : absl::StrCat(node.key, "_", ShownValue(node)));
    const std::string path =
        parent.empty() ? name : absl::StrCat(parent, ".", name);
    if (const YamlNode* limit = map.Find("rate_limit")) {
      ReadRule(*limit, map, path, node);
    } else {
      // Modes have no effect without a limit, but their errors are reported.
      Rule unused;
      ReadModes(map, unused);
    }
    if (const YamlNode* metadata = map.Find("metadata")) {
      auto read = ReadMetadata(reader_, *metadata);
      if (node.rule.has_value()) node.rule->metadata = std::move(read);
    }
    if (const YamlNode* list = map.Find("descriptors")) {
      ReadLevel(*list, path, depth + 1, node.children);
    }
  }

  void ReadValue(const YamlMap& map, RuleNode& node) {
    if (const YamlNode* value = map.Find("value")) {
      if (auto text = reader_.Text(*value, "value")) {
        node.value = *std::move(text);
      }
    }
    const YamlNode* share = map.Read("share_threshold", node.share);
    if (node.share && node.value.find('*') == std::string::npos) {
      reader_.Fail(*share, "share_threshold needs a * in value");
    }
  }

  // One value is one network already, and share_threshold joins all of them.
  void ReadNetworks(const YamlMap& map, RuleNode& node) {
    NetworkPrefixes prefixes;
    if (!ReadPrefixes(map, prefixes)) return;
    node.networks = prefixes;
    const bool is_one =
        !node.value.empty() && node.value.find('*') == std::string::npos;
    if (!is_one && !node.share) return;
    map.Refuse({"ipv4_prefix", "ipv6_prefix"},
               node.share ? " cannot be combined with share_threshold"
                          : " needs a key without value, or with a *");
  }

  static void ReadModes(const YamlMap& descriptor, Rule& rule) {
    descriptor.Read("shadow_mode", rule.shadow);
    descriptor.Read("quota_mode", rule.quota);
  }

  void ReadRule(const YamlNode& limit, const YamlMap& descriptor,
                const std::string& path, RuleNode& node) {
    Rule& rule = node.rule.emplace();
    rule.path = path;
    rule.on_backend_error = on_backend_error_;
    ReadModes(descriptor, rule);
    const YamlMap map(
        reader_, limit, "rate_limit",
        WithLimitKeys({"unit", "requests_per_unit", "unlimited", "name",
                       "replaces", "window", "hits_addend"}));
    ReadRuleName(map, rule.name);
    ReadReplaces(map, rule);
    map.Read("unlimited", rule.unlimited);
    if (rule.unlimited) {
      CheckUnlimited(map);
      return;
    }
    map.ReadInteger("requests_per_unit", 0, kMaxRequestsPerUnit,
                    rule.policy.limit);
    ReadStatedHits(map, rule.stated_hits);
    ReadLimitKeys(map, ReadWindow(map, rule.policy), rule);
  }

  // An empty name is no name, as in envoyproxy/ratelimit.
  static void ReadRuleName(const YamlMap& map, std::string& name) {
    const YamlNode* const node = map.Find("name");
    if (node == nullptr) return;
    if (node->IsScalar() && node->Scalar().empty()) return;
    map.ReadName("name", name);
  }

  // `hits_addend:` of a limit. envoyproxy/ratelimit always charges, so this is
  // the default of this format.
  void ReadStatedHits(const YamlMap& map, StatedHits& stated_hits) {
    stated_hits = StatedHits::kCharge;
    const YamlNode* const node = map.Find("hits_addend");
    if (node == nullptr) return;
    if (const auto index =
            reader_.Word(*node, "hits_addend", {"check", "charge"})) {
      stated_hits = static_cast<StatedHits>(*index);
    }
  }

  void CheckUnlimited(const YamlMap& map) {
    map.Refuse(LimitKeys(), " cannot be combined with unlimited");
    map.Refuse({"window", "hits_addend"}, " cannot be combined with unlimited");
    const YamlNode* unit = map.Find("unit");
    if (unit == nullptr || !unit->IsScalar()) return;
    const std::string word = absl::AsciiStrToLower(unit->Scalar());
    if (word == "unknown") return;
    if (FindUnit(word) != nullptr) {
      reader_.Fail(*unit, "unit cannot be combined with unlimited");
      return;
    }
    reader_.Warn(*unit, absl::StrCat("unit: found ", Quoted(unit->Scalar()),
                                     ", which is ignored beside unlimited"));
  }

  // Reads the window's length. Returns the key that states it, "" for a
  // calendar window.
  absl::string_view ReadWindow(const YamlMap& map, Policy& policy) {
    const YamlNode* unit = map.Find("unit");
    const YamlNode* window = map.Find("window");
    if (unit != nullptr && window != nullptr) {
      reader_.Fail(*window, "unit and window cannot be combined");
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
    const YamlNode* list = map.Find("replaces");
    if (list == nullptr) return;
    if (!list->IsSequence()) {
      reader_.Unexpected(*list, "replaces", "a list of maps with name");
      return;
    }
    for (const YamlNode& item : list->Items()) {
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
  const OnBackendError on_backend_error_;  // of limits without their own
  size_t nodes_ = 0;
};

}  // namespace

std::string ShownValue(const RuleNode& node) {
  const bool is_secret = node.secret.value_or(HoldsSecrets(node.key));
  return is_secret ? ShownSecret(node.value) : node.value;
}

void ReadDescriptorFormat(YamlReader& reader, const YamlNode& root,
                          LoadedFile& file) {
  reader.TakeMistakes(kReferenceKeys);
  const YamlMap map(
      reader, root, "the file",
      {"domain", "descriptors", "accounting", "on_backend_error", "redis"});
  DomainSpec& domain = file.domain.emplace();
  if (map.ReadName("domain", domain.name) == nullptr) {
    reader.Fail(root, "domain: found nothing, expected a name");
  }
  file.domain_name = domain.name;
  if (map.Find("accounting") != nullptr) {
    ReadAccounting(map, domain.accounting.emplace());
  }
  OnBackendError on_backend_error = OnBackendError::kError;
  ReadOnBackendError(map, on_backend_error);
  if (const YamlNode* list = map.Find("descriptors")) {
    DescriptorFormat(reader, on_backend_error)
        .ReadLevel(*list, "", 1, domain.nodes);
    if (!list->IsSequence()) return;
    for (const YamlNode& item : list->Items()) {
      if (file.node_lines.size() == domain.nodes.size()) break;
      file.node_lines.push_back(item.line());
    }
  }
}

}  // namespace rls
