#ifndef RLS_CLIENT_LIMITADOR_TREE_H_
#define RLS_CLIENT_LIMITADOR_TREE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "limitador_limit.h"

namespace rls {

// The descriptors of one domain, as a tree of nodes.
//
// ratelimitd chooses one node for an entry, the exact value first, and never
// goes back. So a limit of any value is added below the nodes of exact values
// as well.
class ImportTree {
 public:
  // Returns true if neither of the limits hides the other in one tree.
  static bool FitTogether(const ImportedLimit& left,
                          const ImportedLimit& right);

  // Adds limits of which each pair fits together. They must outlive the tree.
  // Returns false if the tree would become larger than kMaxImportedNodes.
  bool Add(const std::vector<ImportedLimit>& limits);

  // The value of `descriptors:` in a descriptor file.
  std::string ToYaml() const;

 private:
  struct Node {
    std::string key;
    std::string value;  // "": any value, each counted apart
    bool shared = false;
    const ImportedLimit* limit = nullptr;
    std::vector<std::unique_ptr<Node>> children;
  };

  // Adds entries[i] and the entries after it. Returns true if this changes the
  // tree.
  bool Grow(const ImportedLimit& limit, size_t i, Node& parent);
  // The child with this key and value. Creates it if it is missing.
  Node& Child(Node& parent, const std::string& key, const std::string& value);
  static void Print(const Node& parent, const std::string& indent,
                    std::string& text);

  Node root_;
  size_t nodes_ = 0;
};

// `text` in double quotes, as YAML reads it.
std::string YamlText(absl::string_view text);

}  // namespace rls

#endif  // RLS_CLIENT_LIMITADOR_TREE_H_
