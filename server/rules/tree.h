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

// The descriptor tree of a domain, compiled for search.
class Tree {
 public:
  Tree();
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // Rules are appended to `rules` in file order; the tree points into it.
  // Failure: INVALID_ARGUMENT for two nodes of one level with one name.
  absl::Status Compile(std::vector<RuleNode> nodes,
                       std::deque<CompiledRule>& rules);

  // As Domain::Find().
  void Find(absl::Span<const Entry> entries, Match& match) const;

 private:
  struct Node;
  class Level;

  static absl::Status CompileLevel(std::vector<RuleNode> nodes,
                                   std::deque<CompiledRule>& rules,
                                   Level& level);

  const std::unique_ptr<Level> root_;
};

}  // namespace rls

#endif  // RLS_RULES_TREE_H_
