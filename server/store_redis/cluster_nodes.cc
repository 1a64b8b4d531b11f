#include "store_redis/cluster_nodes.h"

#include <algorithm>

#include "store_redis/endpoint_source.h"

namespace rls {
namespace {

// A master without slots, such as one that slots move to, is left when so many
// readings of the map have not named it.
constexpr int kMaxRoundsWithoutSlots = 3;

}  // namespace

struct ClusterNodes::Node {
  Node(const PipelineParts& parts, const Endpoint& endpoint,
       PipelineOwner* owner)
      : pipeline(parts, NewConstantSource(endpoint), owner) {}

  Pipeline pipeline;
  bool has_slots = false;
  int rounds_without = 0;
};

ClusterNodes::ClusterNodes(const PipelineParts& parts, PipelineOwner& owner)
    : parts_(parts), owner_(owner), node_of_(kClusterSlots, nullptr) {}

ClusterNodes::~ClusterNodes() = default;

void ClusterNodes::UpdateUsable() {
  bool any = false;
  bool tried = true;
  for (const auto& [endpoint, node] : nodes_) {
    if (!node->has_slots) continue;
    any |= node->pipeline.usable();
    tried &= node->pipeline.settled();
  }
  all_tried_ |= any && tried;
  usable_.store(any && all_tried_, std::memory_order_relaxed);
}

Pipeline* ClusterNodes::WithSlot(int slot) const {
  Node* const node = node_of_[static_cast<size_t>(slot)];
  return node == nullptr ? nullptr : &node->pipeline;
}

Pipeline* ClusterNodes::At(const Endpoint& endpoint) {
  Node* const node = NodeAt(endpoint);
  return node == nullptr ? nullptr : &node->pipeline;
}

bool ClusterNodes::HasSlots(const Pipeline& pipeline) const {
  const auto it = nodes_.find(pipeline.endpoint());
  return it != nodes_.end() && it->second->has_slots;
}

void ClusterNodes::MoveSlot(int slot, const Endpoint& to) {
  Node* const node = NodeAt(to);
  if (node == nullptr) return;
  node->has_slots = true;
  node_of_[static_cast<size_t>(slot)] = node;
}

void ClusterNodes::Assign(const std::vector<SlotRange>& slots) {
  std::fill(node_of_.begin(), node_of_.end(), nullptr);
  for (const auto& [endpoint, node] : nodes_) node->has_slots = false;
  for (const SlotRange& range : slots) {
    Node* const node = NodeAt(range.master);
    if (node == nullptr) continue;
    node->has_slots = true;
    std::fill(node_of_.begin() + range.first, node_of_.begin() + range.last + 1,
              node);
  }
  absl::erase_if(nodes_, [](const auto& entry) {
    Node& node = *entry.second;
    node.rounds_without = node.has_slots ? 0 : node.rounds_without + 1;
    return node.rounds_without > kMaxRoundsWithoutSlots && node.pipeline.idle();
  });
  UpdateUsable();
}

void ClusterNodes::Flush() {
  for (const auto& [endpoint, node] : nodes_) node->pipeline.Flush();
}

ClusterNodes::Node* ClusterNodes::NodeAt(const Endpoint& endpoint) {
  const auto it = nodes_.find(endpoint);
  if (it != nodes_.end()) return it->second.get();
  if (nodes_.size() == kMaxNodes) return nullptr;
  auto made = std::make_unique<Node>(parts_, endpoint, &owner_);
  Node* const node = made.get();
  nodes_.emplace(endpoint, std::move(made));
  node->pipeline.Open();
  return node;
}

}  // namespace rls
