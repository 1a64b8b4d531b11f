#ifndef RLS_RULES_WILDCARDS_H_
#define RLS_RULES_WILDCARDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace rls {

// Patterns with `*`, each `*` standing for zero or more bytes; the pieces
// between must appear in order and must not overlap. Of those that match, the
// one that was added first wins. The cost of a search grows with the length of
// the value and with the patterns that begin as it does, not with their number.
//
// Threads: Find() may be called by many threads at once, after the last Add().
class Wildcards {
 public:
  static bool IsPattern(absl::string_view text) {
    return text.find('*') != absl::string_view::npos;
  }

  // `id` must not be less than that of any pattern added before.
  void Add(absl::string_view pattern, uint32_t id);

  // The id of the first pattern that matches, or kNone.
  uint32_t Find(absl::string_view value) const;

  static constexpr uint32_t kNone = UINT32_MAX;

 private:
  // A node of a trie over what patterns have before their first `*`.
  struct Node {
    uint32_t prefix_id = kNone;  // of a pattern that is only this prefix and *
    // Patterns with more behind their first `*`, in the order they were added.
    std::vector<std::pair<uint32_t, std::string>> rest;
  };

  static uint64_t EdgeOf(size_t node, char byte) {
    return uint64_t{node} << 8 | static_cast<uint8_t>(byte);
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
  absl::flat_hash_map<uint64_t, uint32_t> edges_;
};

}  // namespace rls

#endif  // RLS_RULES_WILDCARDS_H_
