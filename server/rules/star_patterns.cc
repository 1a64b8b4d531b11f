#include "rules/star_patterns.h"

#include <algorithm>
#include <string>
#include <utility>

namespace rls {
namespace {

using Pair = std::pair<uint32_t, uint32_t>;

// The places of groups in a list that is sorted by group: group g is from
// element g of the result to element g + 1.
template <typename Group>
std::vector<uint32_t> Bounds(size_t groups, size_t count, Group group_of) {
  std::vector<uint32_t> first(groups + 1, 0);
  for (size_t i = 0; i < count; ++i) ++first[group_of(i) + 1];
  for (size_t i = 1; i <= groups; ++i) first[i] += first[i - 1];
  return first;
}

// The memory of one search. A thread reuses it, because to clear it would cost
// as much as there are patterns. A mark counts only with the stamp of the
// present search.
struct Scratch {
  struct Mark {
    uint32_t stamp = 0;
    uint32_t at = 0;
  };
  // An edge to `state` that is taken at the next occurrence of its piece that
  // begins at `after` or later.
  struct Waiting {
    uint32_t after = 0;
    uint32_t state = 0;
    uint32_t next = 0;
  };

  void Begin(size_t state_count, size_t piece_count, size_t suffix_nodes) {
    if (states.size() < state_count) states.resize(state_count);
    if (pieces.size() < piece_count) pieces.resize(piece_count);
    if (suffixes.size() < suffix_nodes) suffixes.resize(suffix_nodes);
    waiting.clear();
    ends.clear();
    hits.clear();
    if (++stamp != 0) return;
    *this = Scratch();  // once in 4 billion searches
    Begin(state_count, piece_count, suffix_nodes);
  }

  uint32_t stamp = 0;
  std::vector<Mark> states;    // `at`: the end of the last piece
  std::vector<Mark> pieces;    // `at`: the first of its `waiting`, or kNone
  std::vector<Mark> suffixes;  // by node of the trie; `at`: the length
  std::vector<Waiting> waiting;
  std::vector<Pair> ends;      // states that need only a suffix, and their ends
  std::vector<uint32_t> hits;  // the nodes of the value's suffixes, by length
};

}  // namespace

class StarPatterns::Search {
 public:
  Search(const StarPatterns& all, absl::string_view value, Scratch& scratch)
      : all_(all), value_(value), scratch_(scratch) {
    scratch.Begin(all.states_.size(), all.length_of_piece_.size(),
                  all.suffix_trie_.size());
  }

  uint32_t Run() {
    EnterPrefixes();
    if (goes_on_ && !all_.length_of_piece_.empty()) FindPieces();
    if (!scratch_.ends.empty()) FindSuffixes();
    return best_;
  }

 private:
  void EnterPrefixes() {
    uint32_t node = 0;
    for (uint32_t depth = 0;; ++depth) {
      const uint32_t state = all_.state_of_prefix_[node];
      if (state != kNone) Enter(state, depth);
      if (depth == value_.size()) return;
      node = all_.prefix_trie_.Child(node, value_[depth]);
      if (node == ByteTrie::kNone) return;
    }
  }

  void Enter(uint32_t index, uint32_t end) {
    const State& state = all_.states_[index];
    const State& next = all_.states_[index + 1];
    best_ = std::min(best_, state.any_id);
    if (state.least_id >= best_) return;
    goes_on_ = true;
    scratch_.states[index] = {scratch_.stamp, end};
    if (state.first_suffix != next.first_suffix) {
      scratch_.ends.emplace_back(index, end);
    }
    for (uint32_t i = state.first_child; i != next.first_child; ++i) {
      const Edge& edge = all_.children_[i];
      Wait(MarkOf(edge.piece), edge.state, end);
    }
  }

  void FindPieces() {
    uint32_t node = 0;
    for (uint32_t i = 0; i < value_.size(); ++i) {
      node = all_.Step(node, value_[i]);
      for (uint32_t out = all_.outputs_[node]; out != 0;
           out = all_.output_links_[out]) {
        Found(all_.piece_of_node_[out], i + 1);
      }
    }
  }

  // Lets all patterns go on that have waited for this piece.
  void Found(uint32_t piece, uint32_t end) {
    const uint32_t begin = end - all_.length_of_piece_[piece];
    Scratch::Mark& mark = MarkOf(piece);
    uint32_t at = std::exchange(mark.at, kNone);
    uint32_t early = kNone;  // cannot use this occurrence
    while (at != kNone) {
      const Scratch::Waiting waiting = scratch_.waiting[at];
      if (waiting.after > begin) {
        scratch_.waiting[at].next = std::exchange(early, at);
      } else {
        Enter(waiting.state, end);
      }
      at = waiting.next;
    }
    while (early != kNone) {
      const uint32_t next = scratch_.waiting[early].next;
      scratch_.waiting[early].next = std::exchange(mark.at, early);
      early = next;
    }
  }

  // The patterns that begin with this piece behind their prefix wait for it
  // from the first moment that it matters.
  Scratch::Mark& MarkOf(uint32_t piece) {
    Scratch::Mark& mark = scratch_.pieces[piece];
    if (mark.stamp == scratch_.stamp) return mark;
    mark = {scratch_.stamp, kNone};
    for (uint32_t i = all_.first_start_[piece];
         i != all_.first_start_[piece + 1]; ++i) {
      const Start& start = all_.starts_[i];
      const Scratch::Mark& prefix = scratch_.states[start.prefix_state];
      if (prefix.stamp == scratch_.stamp) Wait(mark, start.state, prefix.at);
    }
    return mark;
  }

  void Wait(Scratch::Mark& mark, uint32_t state, uint32_t after) {
    const State& waits = all_.states_[state];
    if (std::min(waits.any_id, waits.least_id) >= best_) return;
    const auto place = static_cast<uint32_t>(scratch_.waiting.size());
    scratch_.waiting.push_back({after, state, std::exchange(mark.at, place)});
  }

  void FindSuffixes() {
    uint32_t node = 0;
    for (size_t i = value_.size(); i > 0; --i) {
      node = all_.suffix_trie_.Child(node, value_[i - 1]);
      if (node == ByteTrie::kNone) break;
      scratch_.hits.push_back(node);
      scratch_.suffixes[node] = {scratch_.stamp,
                                 static_cast<uint32_t>(scratch_.hits.size())};
    }
    for (const auto& [state, end] : scratch_.ends) FindSuffixOf(state, end);
  }

  // Goes through the suffixes of the state or of the value, whichever are
  // fewer.
  void FindSuffixOf(uint32_t state, uint32_t end) {
    const auto first =
        all_.suffixes_.begin() + all_.states_[state].first_suffix;
    const auto last =
        all_.suffixes_.begin() + all_.states_[state + 1].first_suffix;
    if (static_cast<size_t>(last - first) <= scratch_.hits.size()) {
      for (auto it = first; it != last; ++it) TrySuffix(*it, end);
      return;
    }
    for (const uint32_t node : scratch_.hits) {
      const auto it = std::lower_bound(
          first, last, node,
          [](const Suffix& a, uint32_t b) { return a.node < b; });
      if (it != last && it->node == node) TrySuffix(*it, end);
    }
  }

  void TrySuffix(const Suffix& suffix, uint32_t end) {
    const Scratch::Mark& mark = scratch_.suffixes[suffix.node];
    if (mark.stamp != scratch_.stamp) return;
    if (value_.size() - mark.at >= end) best_ = std::min(best_, suffix.id);
  }

  const StarPatterns& all_;
  const absl::string_view value_;
  Scratch& scratch_;
  uint32_t best_ = kNone;
  bool goes_on_ = false;  // a pattern needs more than its prefix
};

void StarPatterns::Add(absl::string_view pattern, uint32_t id) {
  size_t star = pattern.find('*');
  const uint32_t prefix = prefix_trie_.Add(pattern.substr(0, star));
  uint32_t state =
      unfrozen_.state_of_prefix
          .try_emplace(prefix, static_cast<uint32_t>(states_.size()))
          .first->second;
  if (state == states_.size()) NewState(kNone);
  absl::string_view rest = pattern.substr(star + 1);
  for (star = rest.find('*'); star != rest.npos; star = rest.find('*')) {
    if (star > 0) state = ChildOf(state, rest.substr(0, star));
    rest.remove_prefix(star + 1);
  }
  if (rest.empty()) {
    states_[state].any_id = std::min(states_[state].any_id, id);
    return;
  }
  const uint32_t suffix =
      suffix_trie_.Add(std::string(rest.rbegin(), rest.rend()));
  uint32_t& least =
      unfrozen_.suffixes.try_emplace({state, suffix}, kNone).first->second;
  least = std::min(least, id);
}

uint32_t StarPatterns::ChildOf(uint32_t state, absl::string_view text) {
  const auto new_piece = static_cast<uint32_t>(length_of_piece_.size());
  const uint32_t piece =
      unfrozen_.piece_of_node.try_emplace(piece_trie_.Add(text), new_piece)
          .first->second;
  if (piece == new_piece) {
    length_of_piece_.push_back(static_cast<uint32_t>(text.size()));
  }
  const auto new_state = static_cast<uint32_t>(states_.size());
  const uint32_t child =
      unfrozen_.children.try_emplace({state, piece}, new_state).first->second;
  if (child == new_state) NewState(state);
  return child;
}

void StarPatterns::NewState(uint32_t parent) {
  states_.emplace_back();
  unfrozen_.parents.push_back(parent);
}

void StarPatterns::Freeze() {
  prefix_trie_.Freeze();
  suffix_trie_.Freeze();
  piece_trie_.Freeze();
  FreezeStates();
  FreezePieces();
  FreezeStarts();
  unfrozen_ = {};
}

void StarPatterns::FreezeStates() {
  state_of_prefix_.assign(prefix_trie_.size(), kNone);
  for (const auto& [node, state] : unfrozen_.state_of_prefix) {
    state_of_prefix_[node] = state;
  }
  states_.emplace_back();  // the end of the last state's lists
  FreezeSuffixes();
  FreezeChildren();
  // A child is newer than its parent.
  for (size_t i = unfrozen_.parents.size(); i-- > 0;) {
    if (unfrozen_.parents[i] == kNone) continue;
    State& parent = states_[unfrozen_.parents[i]];
    parent.least_id =
        std::min({parent.least_id, states_[i].any_id, states_[i].least_id});
  }
}

void StarPatterns::FreezeSuffixes() {
  std::vector<std::pair<Pair, uint32_t>> sorted(unfrozen_.suffixes.begin(),
                                                unfrozen_.suffixes.end());
  std::sort(sorted.begin(), sorted.end());
  const std::vector<uint32_t> first =
      Bounds(states_.size() - 1, sorted.size(),
             [&](size_t i) { return sorted[i].first.first; });
  for (size_t i = 0; i < first.size(); ++i) states_[i].first_suffix = first[i];
  for (const auto& [place, id] : sorted) {
    suffixes_.push_back({.node = place.second, .id = id});
    State& state = states_[place.first];
    state.least_id = std::min(state.least_id, id);
  }
}

void StarPatterns::FreezeChildren() {
  std::vector<std::pair<Pair, uint32_t>> sorted(unfrozen_.children.begin(),
                                                unfrozen_.children.end());
  // The first piece behind a prefix is a start.
  std::erase_if(sorted, [this](const auto& child) {
    return unfrozen_.parents[child.first.first] == kNone;
  });
  std::sort(sorted.begin(), sorted.end());
  const std::vector<uint32_t> first =
      Bounds(states_.size() - 1, sorted.size(),
             [&](size_t i) { return sorted[i].first.first; });
  for (size_t i = 0; i < first.size(); ++i) states_[i].first_child = first[i];
  for (const auto& [place, state] : sorted) {
    children_.push_back({.piece = place.second, .state = state});
  }
}

void StarPatterns::FreezePieces() {
  piece_of_node_.assign(piece_trie_.size(), kNone);
  for (const auto& [node, piece] : unfrozen_.piece_of_node) {
    piece_of_node_[node] = piece;
  }
  for (size_t byte = 0; byte < root_children_.size(); ++byte) {
    const uint32_t child = piece_trie_.Child(0, static_cast<char>(byte));
    root_children_[byte] = child == ByteTrie::kNone ? 0 : child;
  }
  suffix_links_ = piece_trie_.SuffixLinks();
  outputs_.assign(piece_trie_.size(), 0);
  output_links_.assign(piece_trie_.size(), 0);
  for (const uint32_t node : piece_trie_.NodesByLength()) {
    const uint32_t link = suffix_links_[node];
    output_links_[node] = outputs_[link];
    outputs_[node] = piece_of_node_[node] == kNone ? outputs_[link] : node;
  }
}

void StarPatterns::FreezeStarts() {
  std::vector<std::pair<uint32_t, Start>> starts;
  for (const auto& [place, state] : unfrozen_.children) {
    if (unfrozen_.parents[place.first] != kNone) continue;
    starts.push_back({place.second, {place.first, state}});
  }
  std::sort(starts.begin(), starts.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first, a.second.state) <
           std::pair(b.first, b.second.state);
  });
  first_start_ = Bounds(length_of_piece_.size(), starts.size(),
                        [&](size_t i) { return starts[i].first; });
  for (const auto& [piece, start] : starts) starts_.push_back(start);
}

uint32_t StarPatterns::Step(uint32_t node, char byte) const {
  while (node != 0) {
    const uint32_t child = piece_trie_.Child(node, byte);
    if (child != ByteTrie::kNone) return child;
    node = suffix_links_[node];
  }
  return root_children_[static_cast<uint8_t>(byte)];
}

uint32_t StarPatterns::Find(absl::string_view value) const {
  static thread_local Scratch scratch;
  return Search(*this, value, scratch).Run();
}

}  // namespace rls
