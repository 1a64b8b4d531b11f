#include "rules/byte_trie.h"

#include <algorithm>

namespace rls {

uint32_t ByteTrie::Add(absl::string_view text) {
  uint32_t node = 0;
  for (const char byte : text) {
    const uint64_t edge = uint64_t{node} << 8 | static_cast<uint8_t>(byte);
    const auto [it, added] = edges_.try_emplace(edge, size_);
    if (added) ++size_;
    node = it->second;
  }
  return node;
}

void ByteTrie::Freeze() {
  std::vector<uint64_t> edges;
  edges.reserve(edges_.size());
  for (const auto& [edge, target] : edges_) edges.push_back(edge);
  std::sort(edges.begin(), edges.end());
  first_.assign(size_ + 1, 0);
  bytes_.reserve(edges.size());
  targets_.reserve(edges.size());
  for (const uint64_t edge : edges) {
    ++first_[(edge >> 8) + 1];
    bytes_.push_back(static_cast<uint8_t>(edge & 0xff));
    targets_.push_back(edges_.at(edge));
  }
  for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  edges_ = {};
}

std::vector<uint32_t> ByteTrie::NodesByLength() const {
  std::vector<uint32_t> nodes = {0};
  nodes.reserve(size_);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const uint32_t end = first_[nodes[i] + 1];
    for (uint32_t at = first_[nodes[i]]; at < end; ++at) {
      nodes.push_back(targets_[at]);
    }
  }
  return nodes;
}

std::vector<uint32_t> ByteTrie::SuffixLinks() const {
  std::vector<uint32_t> links(size_, 0);
  for (const uint32_t node : NodesByLength()) {
    if (node == 0) continue;  // the links of its children lead to it
    for (uint32_t at = first_[node]; at < first_[node + 1]; ++at) {
      const char byte = static_cast<char>(bytes_[at]);
      uint32_t link = links[node];
      uint32_t next = Child(link, byte);
      while (next == kNone && link != 0) {
        link = links[link];
        next = Child(link, byte);
      }
      links[targets_[at]] = next == kNone ? 0 : next;
    }
  }
  return links;
}

}  // namespace rls
