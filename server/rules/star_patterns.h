#ifndef RLS_RULES_STAR_PATTERNS_H_
#define RLS_RULES_STAR_PATTERNS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "rules/byte_trie.h"

namespace rls {

// Patterns with `*`. Each `*` stands for zero or more bytes. The pieces between
// must occur in order, without overlap. Of several matching patterns, the
// pattern with the lowest id wins.
//
// A search goes through the value once, however many patterns there are: a trie
// finds the prefixes before the first `*`, another trie the suffixes behind the
// last `*`, and an automaton of Aho and Corasick the pieces between. Patterns
// that begin with the same pieces share their states. A state is entered at
// most once, at the first place where its pieces fit, which leaves the most
// text for later pieces. So the search never backtracks.
//
// Cost: each byte of the value costs a few steps, and each piece that occurs
// in it costs the patterns that wait for this piece, once. If many pieces are
// suffixes of each other (a, aa, aaa), a byte costs a step for each of them.
//
// Threads: Find() may be called by many threads at once, after Freeze().
class StarPatterns {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  static bool IsPattern(absl::string_view text) {
    return text.find('*') != absl::string_view::npos;
  }

  void Add(absl::string_view pattern, uint32_t id);

  // Call once, after the last Add() and before Find().
  void Freeze();

  // The lowest id of the patterns that match, or kNone.
  uint32_t Find(absl::string_view value) const;

 private:
  // A prefix and the pieces that have been found behind it.
  struct State {
    uint32_t any_id = kNone;    // of the pattern that needs no more
    uint32_t least_id = kNone;  // of the patterns that go on from here
    uint32_t first_child = 0;   // in children_; the end is that of the next
    uint32_t first_suffix = 0;  // in suffixes_, likewise
  };
  // The state after one more piece.
  struct Edge {
    uint32_t piece = 0;
    uint32_t state = 0;
  };
  // The pattern that needs only this suffix.
  struct Suffix {
    uint32_t node = 0;  // of suffix_trie_
    uint32_t id = kNone;
  };
  // The first piece behind a prefix.
  struct Start {
    uint32_t prefix_state = 0;
    uint32_t state = 0;
  };
  class Search;

  uint32_t ChildOf(uint32_t state, absl::string_view piece);
  void NewState(uint32_t parent);
  void FreezeStates();
  void FreezeSuffixes();
  void FreezeChildren();
  void FreezePieces();
  void FreezeStarts();
  uint32_t Step(uint32_t node, char byte) const;

  ByteTrie prefix_trie_;
  ByteTrie suffix_trie_;  // of the reversed suffixes
  ByteTrie piece_trie_;

  std::vector<uint32_t> state_of_prefix_;  // by node of prefix_trie_, or kNone
  std::vector<State> states_;
  std::vector<Edge> children_;
  std::vector<Suffix> suffixes_;

  std::vector<uint32_t> piece_of_node_;  // by node of piece_trie_, or kNone
  std::vector<uint32_t> suffix_links_;   // likewise
  std::vector<uint32_t> outputs_;  // the longest suffix that is a piece, or 0
  std::vector<uint32_t> output_links_;            // the next shorter one, or 0
  std::array<uint32_t, 256> root_children_ = {};  // 0: none
  std::vector<uint32_t> length_of_piece_;
  std::vector<uint32_t> first_start_;  // by piece, in starts_
  std::vector<Start> starts_;

  // Until Freeze().
  struct Unfrozen {
    absl::flat_hash_map<uint32_t, uint32_t> state_of_prefix;
    absl::flat_hash_map<uint32_t, uint32_t> piece_of_node;
    absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> children;
    absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> suffixes;
    std::vector<uint32_t> parents;  // by state; kNone: a prefix
  };
  Unfrozen unfrozen_;
};

}  // namespace rls

#endif  // RLS_RULES_STAR_PATTERNS_H_
