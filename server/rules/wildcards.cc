#include "rules/wildcards.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace rls {
namespace {

// Does `text` match `*` followed by `rest`? Taking each piece where it first
// appears leaves the most for those behind it, so nothing is tried twice.
bool MatchesBehindStar(absl::string_view rest, absl::string_view text) {
  while (true) {
    const size_t star = rest.find('*');
    if (star == absl::string_view::npos) return absl::EndsWith(text, rest);
    const absl::string_view piece = rest.substr(0, star);
    const size_t at = text.find(piece);
    if (at == absl::string_view::npos) return false;
    text.remove_prefix(at + piece.size());
    rest.remove_prefix(star + 1);
  }
}

}  // namespace

void Wildcards::Add(absl::string_view pattern, uint32_t id) {
  const size_t star = pattern.find('*');
  size_t node = 0;
  for (const char byte : pattern.substr(0, star)) {
    const auto [edge, added] = edges_.try_emplace(
        EdgeOf(node, byte), static_cast<uint32_t>(nodes_.size()));
    if (added) nodes_.emplace_back();
    node = edge->second;
  }
  const absl::string_view rest = pattern.substr(star + 1);
  const bool only_stars = rest.find_first_not_of('*') == rest.npos;
  if (only_stars) {
    nodes_[node].prefix_id = std::min(nodes_[node].prefix_id, id);
  } else {
    nodes_[node].rest.emplace_back(id, rest);
  }
}

uint32_t Wildcards::Find(absl::string_view value) const {
  uint32_t first = kNone;
  size_t node = 0;
  for (size_t depth = 0;; ++depth) {
    first = std::min(first, nodes_[node].prefix_id);
    for (const auto& [id, rest] : nodes_[node].rest) {
      if (id >= first) break;
      if (MatchesBehindStar(rest, value.substr(depth))) {
        first = id;
        break;
      }
    }
    if (depth == value.size()) return first;
    const auto edge = edges_.find(EdgeOf(node, value[depth]));
    if (edge == edges_.end()) return first;
    node = edge->second;
  }
}

}  // namespace rls
