// A tree of descriptors and a matcher that follows the documentation word for
// word.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "rules/domain.h"
#include "unit/limiter/limiter_fakes.h"

namespace rls {
namespace {

// Few different bytes, so that values often match.
std::string Value(FuzzInput& input, size_t most) {
  constexpr char kBytes[] = {'a', 'b', '*', '/'};
  std::string value;
  for (size_t size = input.Below(most + 1); size > 0; --size) {
    value += input.OneOf(kBytes);
  }
  return value;
}

std::string Key(FuzzInput& input) { return input.Bit() ? "k" : "l"; }

std::vector<RuleNode> Level(FuzzInput& input, int depth, int& rules) {
  std::vector<RuleNode> nodes;
  for (size_t count = input.Below(depth == 0 ? 12 : 4); count > 0; --count) {
    RuleNode node{.key = Key(input), .value = Value(input, 6)};
    const uint8_t choices = input.Byte();
    if (choices & 1) {
      node.rule = Rule{.path = absl::StrCat("rule ", rules++)};
    }
    node.share = (choices & 2) && node.value.find('*') != node.value.npos;
    if ((choices & 12) == 12 && depth < 3) {
      node.children = Level(input, depth + 1, rules);
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

bool HasTwins(const std::vector<RuleNode>& nodes) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (HasTwins(nodes[i].children)) return true;
    for (size_t j = 0; j < i; ++j) {
      if (nodes[i].key == nodes[j].key && nodes[i].value == nodes[j].value) {
        return true;
      }
    }
  }
  return false;
}

bool Matches(absl::string_view pattern, absl::string_view value) {
  if (pattern.empty()) return value.empty();
  if (pattern[0] != '*') {
    return !value.empty() && value[0] == pattern[0] &&
           Matches(pattern.substr(1), value.substr(1));
  }
  return Matches(pattern.substr(1), value) ||
         (!value.empty() && Matches(pattern, value.substr(1)));
}

// The node with exactly this value, else the first pattern in file order, else
// the node without a value.
const RuleNode* FindNode(const std::vector<RuleNode>& nodes,
                         const Entry& entry) {
  const RuleNode* pattern = nullptr;
  const RuleNode* any = nullptr;
  for (const RuleNode& node : nodes) {
    if (node.key != entry.key) continue;
    if (node.value.empty()) {
      any = &node;
      continue;
    }
    if (node.value == entry.value) return &node;
    if (pattern == nullptr && node.value.find('*') != node.value.npos &&
        Matches(node.value, entry.value)) {
      pattern = &node;
    }
  }
  return pattern == nullptr ? any : pattern;
}

struct Found {
  std::string path;  // "" if no rule applies
  std::vector<std::string> parts;
};

Found Naive(const std::vector<RuleNode>& nodes,
            const std::vector<Entry>& entries) {
  Found found;
  const std::vector<RuleNode>* level = &nodes;
  const RuleNode* node = nullptr;
  for (const Entry& entry : entries) {
    node = FindNode(*level, entry);
    if (node == nullptr) return found;
    found.parts.emplace_back(entry.key);
    found.parts.emplace_back(node->share ? node->value
                                         : std::string(entry.value));
    level = &node->children;
  }
  if (node != nullptr && node->rule.has_value()) found.path = node->rule->path;
  return found;
}

void Compare(const Domain& domain, const std::vector<RuleNode>& nodes,
             FuzzInput& input) {
  std::vector<std::string> texts;
  for (size_t count = input.Below(5); count > 0; --count) {
    texts.push_back(Key(input));
    texts.push_back(Value(input, 15));
  }
  std::vector<Entry> entries;
  for (size_t i = 0; i < texts.size(); i += 2) {
    entries.push_back({texts[i], texts[i + 1]});
  }
  Match match;
  domain.Find(entries, match);
  const Found found = Naive(nodes, entries);
  const std::string path = match.rule == nullptr ? "" : match.rule->path;
  Require(path == found.path, "the tree finds the rule of the naive matcher");
  if (match.rule == nullptr) return;
  Require(std::equal(match.parts.begin(), match.parts.end(),
                     found.parts.begin(), found.parts.end()),
          "the tree names the counter of the naive matcher");
}

}  // namespace

void FuzzRules(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  int rules = 0;
  const std::vector<RuleNode> nodes = Level(input, 0, rules);
  FakeMetrics metrics;
  const auto domain =
      CompileDomain({.name = "domain", .nodes = nodes}, metrics);
  Require(domain.ok() != HasTwins(nodes),
          "a domain compiles unless two nodes of a level are equal");
  if (!domain.ok()) return;
  while (!input.empty()) Compare(**domain, nodes, input);
}

}  // namespace rls
