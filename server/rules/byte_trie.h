#ifndef RLS_RULES_BYTE_TRIE_H_
#define RLS_RULES_BYTE_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace rls {

// A trie of byte strings in about ten bytes for each node. Node 0 is the root.
//
// Threads: immutable after Freeze(), so that all threads share it.
class ByteTrie {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The node of `text`. The same text has the same node.
  uint32_t Add(absl::string_view text);

  // Call once, after the last Add() and before Child().
  void Freeze();

  size_t size() const { return size_; }

  // The child of a node by its byte, or kNone.
  uint32_t Child(uint32_t node, char byte) const {
    const auto wanted = static_cast<uint8_t>(byte);
    uint32_t at = first_[node];
    uint32_t end = first_[node + 1];
    while (end - at > 4) {
      const uint32_t middle = (at + end) / 2;
      (bytes_[middle] <= wanted ? at : end) = middle;
    }
    for (; at != end; ++at) {
      if (bytes_[at] == wanted) return targets_[at];
    }
    return kNone;
  }

  // All nodes, the root first, in order of the length of their texts.
  std::vector<uint32_t> NodesByLength() const;

  // For each node, the longest proper suffix of its text that is a node too:
  // the failure links of Aho and Corasick.
  // Source: "Efficient string matching", Communications of the ACM, June 1975.
  std::vector<uint32_t> SuffixLinks() const;

 private:
  uint32_t size_ = 1;
  absl::flat_hash_map<uint64_t, uint32_t> edges_;  // until Freeze()
  // The edges of node n, in order of their bytes, are first_[n] to
  // first_[n + 1].
  std::vector<uint32_t> first_;
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> targets_;
};

}  // namespace rls

#endif  // RLS_RULES_BYTE_TRIE_H_
