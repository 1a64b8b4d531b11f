#ifndef RLS_STORE_REDIS_CLUSTER_NODES_H_
#define RLS_STORE_REDIS_CLUSTER_NODES_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "net/endpoint.h"
#include "store_redis/cluster_slots.h"
#include "store_redis/pipeline.h"

namespace rls {

// The masters of a cluster, each with a pipeline, and which has which slots.
//
// Threads: its loop's only, but for usable().
class ClusterNodes {
 public:
  // The parts and `owner`, which is that of the pipelines, must outlive it.
  ClusterNodes(const PipelineParts& parts, PipelineOwner& owner);
  ~ClusterNodes();  // fails what waits
  ClusterNodes(const ClusterNodes&) = delete;
  ClusterNodes& operator=(const ClusterNodes&) = delete;

  // May be asked by any thread: whether some master answers. At first all must
  // have been tried; later each has its own fate.
  bool usable() const { return usable_.load(std::memory_order_relaxed); }
  // To be called when a pipeline has changed.
  void UpdateUsable();

  // As many as Redis' specification has a cluster grow to. Replies that name
  // more of them are not believed.
  static constexpr size_t kMaxNodes = 1000;

  // Null when no master has the slot.
  Pipeline* WithSlot(int slot) const;
  // Made and connected when there is none; null when there are too many.
  Pipeline* At(const Endpoint& endpoint);
  bool HasSlots(const Pipeline& pipeline) const;

  // It stays where it is when there are too many masters.
  void MoveSlot(int slot, const Endpoint& to);
  // What has which slots from now on: none has those of a master too many.
  // Leaves masters that have had none for some time. Not to be called by a
  // pipeline.
  void Assign(const std::vector<SlotRange>& slots);

  void Flush();

 private:
  struct Node;

  Node* NodeAt(const Endpoint& endpoint);

  const PipelineParts parts_;
  PipelineOwner& owner_;
  std::vector<Node*> node_of_;  // by slot; null: none
  absl::flat_hash_map<Endpoint, std::unique_ptr<Node>> nodes_;
  bool all_tried_ = false;
  std::atomic<bool> usable_{false};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_CLUSTER_NODES_H_
