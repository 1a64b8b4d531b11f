#ifndef RLS_RULES_TREE_H_
#define RLS_RULES_TREE_H_

#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rules/domain.h"
#include "rules/domain_spec.h"

namespace rls {

// The descriptor tree of a domain, indexed for search.
class Tree {
 public:
  Tree();
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // Appends rules to `rules` in file order. If `statistics` is not null, opens
  // the statistics of the rules under the name of the domain.
  // Failure: INVALID_ARGUMENT if two nodes of one level have the same key and
  // value.
  // Lifetime: `rules` must outlive the tree, which points into it.
  absl::Status Compile(std::vector<RuleNode> nodes,
                       std::deque<CompiledRule>& rules,
                       Statistics* statistics = nullptr,
                       const std::string& domain = "");

  // Domain::Find().
  void Find(absl::Span<const Entry> entries, Match& match) const;

 private:
  struct Node;
  class Level;

  struct Target;  // of the compiled rules

  static absl::Status CompileLevel(std::vector<RuleNode> nodes, Target& target,
                                   Level& level);

  const std::unique_ptr<Level> root_;
};

}  // namespace rls

#endif  // RLS_RULES_TREE_H_
