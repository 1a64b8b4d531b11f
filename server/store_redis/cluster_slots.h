#ifndef RLS_STORE_REDIS_CLUSTER_SLOTS_H_
#define RLS_STORE_REDIS_CLUSTER_SLOTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/endpoint.h"
#include "store_redis/reply.h"

namespace rls {

// What Redis Cluster's specification says of keys and slots.
// Source: Redis cluster specification.

inline constexpr int kClusterSlots = 16384;

// The slot of a key: a checksum of what stands in its first braces or, when
// there is nothing, of all of it.
int ClusterSlotOf(absl::string_view key);

// Slots in a row and the master that has them.
struct SlotRange {
  int first = 0;
  int last = 0;  // of it, too
  Endpoint master;
};

// Reads a reply to CLUSTER SLOTS. A node that does not know its own address is
// where the reply came from. UNAVAILABLE when it is none, or names no slot.
absl::StatusOr<std::vector<SlotRange>> ReadClusterSlots(const ReplyView& reply,
                                                        const Endpoint& from);

// An error by which a node sends a call elsewhere: nothing was done.
struct Redirection {
  bool for_good = false;  // MOVED, and not ASK
  int slot = 0;
  Endpoint to;
};

// nullopt for any other error. `from` is the node that has sent it.
std::optional<Redirection> ReadRedirection(absl::string_view error,
                                           const Endpoint& from);

}  // namespace rls

#endif  // RLS_STORE_REDIS_CLUSTER_SLOTS_H_
