#include "rules/tree.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "rules/secret_keys.h"
#include "rules/star_patterns.h"
#include "rules/statistics_path.h"

namespace rls {

struct Tree::Node {
  const CompiledRule* rule = nullptr;
  std::unique_ptr<Level> children;
  // Replaces the value in the counter key. Null unless the node is shared.
  std::unique_ptr<const std::string> shared_value;
  // Null unless the values are addresses that count by their network.
  std::unique_ptr<const NetworkPrefixes> networks;
  bool secret = false;
  // True if this node or a sibling matches any value of the key, or any value
  // of a pattern. Then the values of this key distinguish most counters of the
  // level. A new node for one more value does not change `is_open`, so it does
  // not move counters to another slot.
  bool is_open = false;
};

// The children of one node.
class Tree::Level {
 public:
  void Reserve(size_t nodes) { nodes_.reserve(nodes); }

  // Returns false if there is already a node with this key and value.
  bool Add(const std::string& key, const std::string& value, Node node) {
    const auto id = static_cast<uint32_t>(nodes_.size());
    nodes_.push_back(std::move(node));
    Key& same_key = keys_[key];
    same_key.nodes.push_back(id);
    if (value.empty()) {
      return std::exchange(same_key.any_value, id) == kNone;
    }
    if (StarPatterns::IsPattern(value)) {
      if (same_key.patterns == nullptr) {
        same_key.patterns = std::make_unique<StarPatterns>();
      }
      same_key.patterns->Add(value, id);
    }
    return same_key.exact.emplace(value, id).second;
  }

  const Node* Find(const Entry& entry) const {
    const auto it = keys_.find(entry.key);
    if (it == keys_.end()) return nullptr;
    const Key& key = it->second;
    // A node without a value is in `any_value`, so it never matches here.
    const auto exact = key.exact.find(entry.value);
    if (exact != key.exact.end()) return &nodes_[exact->second];
    uint32_t id = kNone;
    if (key.patterns != nullptr) id = key.patterns->Find(entry.value);
    if (id == kNone) id = key.any_value;
    return id == kNone ? nullptr : &nodes_[id];
  }

  // Call Finish() once, after the last Add().
  void Finish() {
    for (auto& [unused, key] : keys_) {
      const bool is_open = key.any_value != kNone || key.patterns != nullptr;
      for (const uint32_t id : key.nodes) nodes_[id].is_open = is_open;
      key.nodes = {};
      if (key.patterns != nullptr) key.patterns->Freeze();
    }
  }

 private:
  static constexpr uint32_t kNone = StarPatterns::kNone;

  // The nodes of one key.
  struct Key {
    std::vector<uint32_t> nodes;  // until Finish()
    // Includes patterns by their literal text.
    absl::flat_hash_map<std::string, uint32_t> exact;
    std::unique_ptr<StarPatterns> patterns;  // null if there is none
    uint32_t any_value = kNone;              // the node without a value
  };

  std::vector<Node> nodes_;  // in file order
  absl::flat_hash_map<std::string, Key> keys_;
};

Tree::Tree() : root_(std::make_unique<Level>()) {}
Tree::~Tree() = default;

struct Tree::Target {
  std::deque<CompiledRule>& rules;
  std::optional<StatisticsPath> statistics;  // nullopt: they are off
};

absl::Status Tree::Compile(std::vector<RuleNode> nodes,
                           std::deque<CompiledRule>& rules,
                           Statistics* statistics, const std::string& domain) {
  Target target{.rules = rules, .statistics = std::nullopt};
  if (statistics != nullptr) target.statistics.emplace(*statistics, domain);
  return CompileLevel(std::move(nodes), target, *root_);
}

absl::Status Tree::CompileLevel(std::vector<RuleNode> nodes, Target& target,
                                Level& level) {
  level.Reserve(nodes.size());
  for (RuleNode& spec : nodes) {
    Node node;
    if (target.statistics.has_value()) target.statistics->Enter(spec);
    if (spec.rule.has_value()) {
      target.rules.push_back({std::move(*spec.rule)});
      spec.rule.reset();
      CompiledRule& rule = target.rules.back();
      node.rule = &rule;
      if (target.statistics.has_value() && !rule.unlimited) {
        rule.statistics = target.statistics->Open(spec.detailed_metric);
      }
    }
    if (spec.share) {
      node.shared_value = std::make_unique<const std::string>(spec.value);
    }
    if (spec.networks.has_value()) {
      node.networks = std::make_unique<const NetworkPrefixes>(*spec.networks);
    }
    node.secret = spec.secret.value_or(HoldsSecrets(spec.key));
    if (!spec.children.empty()) {
      node.children = std::make_unique<Level>();
      if (absl::Status status =
              CompileLevel(std::move(spec.children), target, *node.children);
          !status.ok()) {
        return status;
      }
    }
    if (target.statistics.has_value()) target.statistics->Leave();
    if (level.Add(spec.key, spec.value, std::move(node))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("two descriptors of one level have key ", Quoted(spec.key),
                     " and the same value"));
  }
  level.Finish();
  return absl::OkStatus();
}

void Tree::Find(absl::Span<const Entry> entries, Match& match) const {
  match.rule = nullptr;
  match.parts.clear();
  match.texts.clear();
  match.secret = false;
  bool tagged = false;
  const Level* level = root_.get();
  const Node* node = nullptr;
  for (const Entry& entry : entries) {
    if (level == nullptr) return;
    node = level->Find(entry);
    if (node == nullptr) return;
    match.parts.push_back(entry.key);
    match.parts.push_back(node->shared_value == nullptr
                              ? entry.value
                              : absl::string_view(*node->shared_value));
    if (node->networks != nullptr) {
      if (auto network = NetworkOf(entry.value, *node->networks)) {
        match.parts.back() = match.texts.emplace_front(*std::move(network));
      }
    }
    match.secret |= node->secret;
    if (!tagged) match.tag_part = match.parts.size() - 1;
    tagged |= node->is_open;
    level = node->children.get();
  }
  if (node != nullptr) match.rule = node->rule;
}

}  // namespace rls
