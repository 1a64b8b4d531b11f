#ifndef RLS_STORE_REDIS_CLUSTER_NODES_H_
#define RLS_STORE_REDIS_CLUSTER_NODES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/endpoint.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "store/redis/discovery.h"
#include "store/redis/pipeline.h"
#include "store/redis/redis_target.h"
#include "store/redis/reply.h"

// The masters of a Redis Cluster and their hash slots.
//
// Source: Redis cluster specification.

namespace rls {

inline constexpr int kClusterSlots = 16384;

// The hash slot of a key: a checksum of the text in the first pair of braces
// or, if that text is empty or missing, of the whole key.
int ClusterSlotOf(absl::string_view key);

// Consecutive hash slots and their master.
struct SlotRange {
  int first = 0;
  int last = 0;  // inclusive
  Endpoint master;
};

// Reads the reply to CLUSTER SLOTS. A node that does not know its own host name
// gets the host of `from`, the node that sent the reply.
//
// Failure: UNAVAILABLE if the reply has another format or names no slots.
absl::StatusOr<std::vector<SlotRange>> ReadClusterSlots(const ReplyView& reply,
                                                        const Endpoint& from);

// An error reply that redirects a command to another node. The node that sent
// the error has changed nothing.
struct Redirection {
  bool permanent = false;  // MOVED; otherwise ASK
  int slot = 0;
  Endpoint to;
};

// nullopt if the error is no redirection. `from` is the node that sent it.
std::optional<Redirection> ReadRedirection(absl::string_view error,
                                           const Endpoint& from);

// Keeps the map of hash slots up to date: reads it from a node at once, every
// 10 seconds, and soon after each Doubt(). A node is ignored if it is cut off
// from the other nodes, or has missed a change that another node has reported.
//
// Threads: the loop's only.
class ClusterWatch final : private Enquiry::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The complete new map.
    virtual void OnSlots(const std::vector<SlotRange>& slots) = 0;
    // No node gave an acceptable reply.
    virtual void OnNoSlots(const absl::Status& why) = 0;
  };

  // `seeds` are the nodes to try while no other node is known. The members of
  // `parts` and `owner` must outlive the watch.
  ClusterWatch(const StreamDependencies& parts,
               const RedisCredentials& credentials, std::vector<Endpoint> seeds,
               Owner& owner);
  ClusterWatch(const ClusterWatch&) = delete;
  ClusterWatch& operator=(const ClusterWatch&) = delete;

  void Open();
  // Reports that the map may be outdated.
  void Doubt();

 private:
  absl::Status OnReply(const Endpoint& from, size_t number,
                       const ReplyView& reply) override;
  absl::Status ReadInfo(absl::string_view info);
  void OnOver(const absl::Status& status) override;
  void ReadMap();
  void ReadMapBy(SteadyTime time);

  EventLoop& loop_;
  const std::vector<Endpoint> seeds_;
  Owner& owner_;
  Enquiry enquiry_;
  const std::unique_ptr<EventLoop::Timer> timer_;

  SteadyTime next_at_ = SteadyTime::max();   // the time of the next enquiry
  SteadyTime earliest_ = SteadyTime::min();  // the lower bound of next_at_
  bool doubted_ = false;  // Doubt() was called while an enquiry is running
  size_t turn_ = 0;
  int64_t newest_epoch_ = 0;
  std::vector<SlotRange> slots_;
  std::minstd_rand random_{std::random_device{}()};
};

// The masters of a cluster, with one pipeline each, and the map from hash slots
// to masters.
//
// Threads: the loop's only, except usable() and tried().
class ClusterNodes {
 public:
  // The members of `dependencies` and `owner` must outlive the nodes. `owner`
  // owns the pipelines.
  ClusterNodes(const PipelineDependencies& dependencies, PipelineOwner& owner);
  ~ClusterNodes();  // fails the takes that wait
  ClusterNodes(const ClusterNodes&) = delete;
  ClusterNodes& operator=(const ClusterNodes&) = delete;

  // Whether at least one master answers. Stays false until every master has
  // been tried once. Any thread may call it.
  bool usable() const { return usable_.load(std::memory_order_relaxed); }
  // Whether every master of a map has been tried once, with success or not. Any
  // thread may call it.
  bool tried() const { return tried_.load(std::memory_order_acquire); }
  // Must be called after a pipeline has changed.
  void UpdateUsable();

  // The largest cluster that the specification recommends. Replies that name
  // more masters are ignored as far as they exceed this number.
  static constexpr size_t kMaxNodes = 1000;

  // Null if no master has the slot.
  Pipeline* WithSlot(int slot) const;
  // Connects to the master if it is new. Null if there are too many masters.
  Pipeline* At(const Endpoint& endpoint);
  bool HasSlots(const Pipeline& pipeline) const;

  // Does nothing if there are too many masters.
  void MoveSlot(int slot, const Endpoint& to);
  // Replaces the whole map. If there are too many masters, the slots of the
  // excess masters have no master. Disconnects masters that have had no slots
  // for some time. Must not be called by a pipeline.
  void Assign(const std::vector<SlotRange>& slots);

  void Flush();

 private:
  struct Node;

  Node* NodeAt(const Endpoint& endpoint);

  const PipelineDependencies dependencies_;
  PipelineOwner& owner_;
  std::vector<Node*> node_of_;  // by slot; null: no master
  absl::flat_hash_map<Endpoint, std::unique_ptr<Node>> nodes_;
  bool all_tried_ = false;
  std::atomic<bool> usable_{false};
  std::atomic<bool> tried_{false};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_CLUSTER_NODES_H_
