#ifndef RLS_CONFIG_YAML_TREE_H_
#define RLS_CONFIG_YAML_TREE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/load.h"

namespace rls {

class YamlEntries;
class YamlItems;
class YamlTree;

// One node of a YamlTree: nothing, a text, a list or a map. An alias is the
// node that it refers to. Cheap to copy.
//
// Lifetime: the tree must outlive the node.
class YamlNode {
 public:
  YamlNode() = default;  // a missing node

  explicit operator bool() const { return tree_ != nullptr; }
  bool IsNull() const;  // also if the node is missing
  bool IsScalar() const;
  bool IsSequence() const;
  bool IsMap() const;

  int line() const;  // from 1; 0 if the node is missing

  // Text that the file writes in quotes, or as a block. Such a text is never a
  // number, a word or a merge key.
  bool IsQuoted() const;
  absl::string_view Scalar() const;  // "" unless the node is a text

  size_t size() const;  // the items of a list, or the entries of a map

  // The last value of a key of a map; a missing node without such a key. Goes
  // through all entries.
  YamlNode operator[](absl::string_view key) const;

  // The items of a list, or the entries of a map as pairs of key and value.
  // Empty for another node. Usable in a range-based for.
  YamlItems Items() const;
  YamlEntries Entries() const;

 private:
  friend class YamlEntries;
  friend class YamlItems;
  friend class YamlTree;

  YamlNode(const YamlTree& tree, uint32_t index);
  YamlNode FirstChild() const;
  YamlNode Next() const;  // the next sibling

  const YamlTree* tree_ = nullptr;
  uint32_t slot_ = 0;   // the place among its siblings
  uint32_t index_ = 0;  // the same, or the target of an alias
};

class YamlItems {
 public:
  class Iterator {
   public:
    explicit Iterator(YamlNode node) : node_(node) {}
    const YamlNode& operator*() const { return node_; }
    Iterator& operator++() {
      node_ = node_.Next();
      return *this;
    }
    bool operator!=(const Iterator& other) const {
      return node_.slot_ != other.node_.slot_;
    }

   private:
    YamlNode node_;
  };

  explicit YamlItems(YamlNode first) : first_(first) {}
  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(YamlNode()); }

 private:
  const YamlNode first_;
};

class YamlEntries {
 public:
  class Iterator {
   public:
    explicit Iterator(YamlNode key) : key_(key) {}
    std::pair<YamlNode, YamlNode> operator*() const {
      return {key_, key_.Next()};
    }
    Iterator& operator++() {
      key_ = key_.Next().Next();
      return *this;
    }
    bool operator!=(const Iterator& other) const {
      return key_.slot_ != other.key_.slot_;
    }

   private:
    YamlNode key_;
  };

  explicit YamlEntries(YamlNode first) : first_(first) {}
  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(YamlNode()); }

 private:
  const YamlNode first_;
};

inline YamlItems YamlNode::Items() const {
  return YamlItems(IsSequence() ? FirstChild() : YamlNode());
}

inline YamlEntries YamlNode::Entries() const {
  return YamlEntries(IsMap() ? FirstChild() : YamlNode());
}

// The error if reading is ended early.
inline constexpr char kReadingEnded[] = "the server is ending";

// A line of a file, and the mistake in it.
struct YamlFault {
  int line = 0;  // from 1; 0 if the mistake has no single line
  std::string text;
};

// A parsed YAML document in little memory: 16 bytes for each node, and the
// texts. The bounds in config/load.h hold while the text is parsed, so that a
// hostile text is refused before it has used more memory than they allow.
//
// Threads: immutable after Parse().
class YamlTree {
 public:
  YamlTree() = default;
  YamlTree(const YamlTree&) = delete;
  YamlTree& operator=(const YamlTree&) = delete;

  // Call once. `yaml` is UTF-8. If `stop` becomes true, parsing ends with a
  // fault. More than `max_nodes` nodes are a fault; a node counts once for each
  // alias that refers to it.
  // Failure: the first fault of `yaml`. Then the tree is not usable.
  std::optional<YamlFault> Parse(absl::string_view yaml,
                                 const std::atomic<bool>* stop,
                                 size_t max_nodes = kMaxConfigNodes);

  // A missing node if there is no document.
  YamlNode root() const;

  // The line of the `---` or `...` after which further documents follow, which
  // the tree does not contain. They need not be YAML. 0: there are none.
  int further_line() const { return further_line_; }

 private:
  friend class YamlNode;
  friend class YamlBuilder;

  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap, kAlias };

  struct Raw {
    uint32_t first = 0;  // text: its offset; container: its first child; alias:
                         // its target
    uint32_t size = 0;   // text: its length; container: its number of children
    uint32_t next = 0;   // the next sibling; 0: none
    uint32_t line : 28 = 0;
    uint32_t kind : 3 = 0;
    uint32_t quoted : 1 = 0;
  };

  // Nodes are in blocks, because a vector that grows holds all nodes twice.
  static constexpr uint32_t kBlockBits = 14;
  static constexpr uint32_t kBlock = uint32_t{1} << kBlockBits;

  uint32_t Append(Kind kind, size_t line);
  Raw& At(uint32_t index) {
    return blocks_[index >> kBlockBits][index & (kBlock - 1)];
  }
  const Raw& At(uint32_t index) const {
    return blocks_[index >> kBlockBits][index & (kBlock - 1)];
  }
  Kind KindOf(uint32_t index) const {
    return static_cast<Kind>(At(index).kind);
  }

  uint32_t nodes_ = 0;
  int further_line_ = 0;
  std::vector<std::unique_ptr<Raw[]>> blocks_;
  std::string text_;
};

}  // namespace rls

#endif  // RLS_CONFIG_YAML_TREE_H_
