#ifndef RLS_STORE_REDIS_CLUSTER_WATCH_H_
#define RLS_STORE_REDIS_CLUSTER_WATCH_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "net/stream.h"
#include "store_redis/cluster_slots.h"
#include "store_redis/enquiry.h"
#include "store_redis/redis_target.h"

namespace rls {

// Reads from the nodes of a cluster which master has which slots: at once, soon
// after somebody has reason to doubt it, and now and then. A node that is cut
// off from the others, or has missed what another one knew, is not believed.
//
// Threads: its loop's only.
class ClusterWatch final : private Enquiry::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Of all slots that a master has.
    virtual void OnSlots(const std::vector<SlotRange>& slots) = 0;
    virtual void OnNoSlots(const absl::Status& why) = 0;
  };

  // `seeds` are asked as long as no node is known. The parts and `owner` must
  // outlive it.
  ClusterWatch(const StreamParts& parts, const RedisCredentials& credentials,
               std::vector<Endpoint> seeds, Owner& owner);
  ClusterWatch(const ClusterWatch&) = delete;
  ClusterWatch& operator=(const ClusterWatch&) = delete;

  void Open();
  // What is known may be wrong.
  void Doubt();

 private:
  absl::Status OnAnswer(const Endpoint& from, size_t number,
                        const ReplyView& reply) override;
  absl::Status ReadInfo(absl::string_view info);
  void OnOver(const absl::Status& status) override;
  void Ask();
  void AskAt(SteadyTime time);

  EventLoop& loop_;
  const std::vector<Endpoint> seeds_;
  Owner& owner_;
  Enquiry enquiry_;
  const std::unique_ptr<EventLoop::Timer> timer_;

  SteadyTime ask_at_ = SteadyTime::max();
  SteadyTime earliest_ = SteadyTime::min();  // of the next enquiry
  bool doubted_ = false;                     // while one is under way
  size_t turn_ = 0;
  int64_t newest_epoch_ = 0;
  std::vector<SlotRange> slots_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_CLUSTER_WATCH_H_
