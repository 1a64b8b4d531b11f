#include "rules/tree.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "rules/wildcards.h"

namespace rls {
namespace {

// (key, value), found by views without making strings.
using Name = std::pair<std::string, std::string>;
using NameView = std::pair<absl::string_view, absl::string_view>;

struct NameHash {
  using is_transparent = void;
  size_t operator()(const NameView& name) const {
    return absl::Hash<NameView>()(name);
  }
  size_t operator()(const Name& name) const {
    return (*this)(NameView(name.first, name.second));
  }
};

struct NameEqual {
  using is_transparent = void;
  bool operator()(const NameView& a, const NameView& b) const { return a == b; }
};

}  // namespace

struct Tree::Node {
  const CompiledRule* rule = nullptr;
  std::unique_ptr<Level> children;
  // Stands for the value in the counter key; empty unless the node is shared.
  std::string shared_value;
  bool secret = false;  // HoldsSecrets() of its key
  // Its values are what tells most counters of the level apart: a sibling, or
  // itself, takes any value of the key, or any of a pattern. A node for one
  // more value of its own changes nothing of that, so no counter moves then.
  bool is_open = false;
};

// The nodes that are siblings.
class Tree::Level {
 public:
  // False when there is a node of that name already.
  bool Add(const std::string& key, const std::string& value, Node node) {
    const auto id = static_cast<uint32_t>(nodes_.size());
    nodes_.push_back(std::move(node));
    if (value.empty()) return key_only_.emplace(key, id).second;
    if (Wildcards::IsPattern(value)) wildcards_[key].Add(value, id);
    return exact_.emplace(Name(key, value), id).second;
  }

  const Node* Find(const Entry& entry) const {
    const auto exact = exact_.find(NameView(entry.key, entry.value));
    // A node without a value is not the node of the empty value.
    if (exact != exact_.end()) return &nodes_[exact->second];
    if (!wildcards_.empty()) {
      const auto patterns = wildcards_.find(entry.key);
      if (patterns != wildcards_.end()) {
        const uint32_t id = patterns->second.Find(entry.value);
        if (id != Wildcards::kNone) return &nodes_[id];
      }
    }
    const auto key_only = key_only_.find(entry.key);
    return key_only == key_only_.end() ? nullptr : &nodes_[key_only->second];
  }

  // Call it once, after the last Add(), with the key of each node in order.
  void Finish(const std::vector<std::string>& keys) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].secret = HoldsSecrets(keys[i]);
      nodes_[i].is_open =
          key_only_.contains(keys[i]) || wildcards_.contains(keys[i]);
    }
  }

 private:
  std::vector<Node> nodes_;  // in file order
  // Patterns too, by their literal text.
  absl::flat_hash_map<Name, uint32_t, NameHash, NameEqual> exact_;
  absl::flat_hash_map<std::string, Wildcards> wildcards_;
  absl::flat_hash_map<std::string, uint32_t> key_only_;
};

Tree::Tree() : root_(std::make_unique<Level>()) {}
Tree::~Tree() = default;

absl::Status Tree::Compile(std::vector<RuleNode> nodes,
                           std::deque<CompiledRule>& rules) {
  return CompileLevel(std::move(nodes), rules, *root_);
}

absl::Status Tree::CompileLevel(std::vector<RuleNode> nodes,
                                std::deque<CompiledRule>& rules, Level& level) {
  std::vector<std::string> keys;
  for (RuleNode& spec : nodes) {
    Node node;
    if (spec.rule.has_value()) {
      rules.push_back({*std::move(spec.rule)});
      node.rule = &rules.back();
    }
    if (spec.share) node.shared_value = spec.value;
    if (!spec.children.empty()) {
      node.children = std::make_unique<Level>();
      if (absl::Status status =
              CompileLevel(std::move(spec.children), rules, *node.children);
          !status.ok()) {
        return status;
      }
    }
    keys.push_back(spec.key);
    if (level.Add(spec.key, spec.value, std::move(node))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("two descriptors of one level have key ", Quoted(spec.key),
                     " and value ", Quoted(spec.value)));
  }
  level.Finish(keys);
  return absl::OkStatus();
}

void Tree::Find(absl::Span<const Entry> entries, Match& match) const {
  match.rule = nullptr;
  match.parts.clear();
  match.secret = false;
  bool tagged = false;
  const Level* level = root_.get();
  const Node* node = nullptr;
  for (const Entry& entry : entries) {
    if (level == nullptr) return;
    node = level->Find(entry);
    if (node == nullptr) return;
    match.parts.push_back(entry.key);
    match.parts.push_back(node->shared_value.empty()
                              ? entry.value
                              : absl::string_view(node->shared_value));
    match.secret |= node->secret;
    if (!tagged) match.tag_part = match.parts.size() - 1;
    tagged |= node->is_open;
    level = node->children.get();
  }
  if (node != nullptr) match.rule = node->rule;
}

}  // namespace rls
