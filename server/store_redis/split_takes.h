#ifndef RLS_STORE_REDIS_SPLIT_TAKES_H_
#define RLS_STORE_REDIS_SPLIT_TAKES_H_

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "net/event_loop.h"
#include "store_redis/pending_take.h"
#include "store_redis/router.h"
#include "store_redis/split_take.h"

namespace rls {

// The takes of a router that go part by part, and what is to be sent next: what
// a callback of a pipeline makes must wait until the pipeline is done with it.
//
// Threads: its loop's only.
class SplitTakes final : private SplitTake::Owner {
 public:
  // All must outlive it; `router` is flushed soon after each Later().
  SplitTakes(EventLoop& loop, SteadyDuration command_timeout, Router& router);
  SplitTakes(const SplitTakes&) = delete;
  SplitTakes& operator=(const SplitTakes&) = delete;

  // As of SplitTake; its parts come by way of TakeDue().
  void Split(std::unique_ptr<PendingTake> take,
             absl::Span<const size_t> part_of);

  void Later(std::unique_ptr<PendingTake> take);
  void FlushLater();

  // What is to be sent now, but for those that are too late, which are told so;
  // empty when nothing is left.
  PendingTakes TakeDue();

  // Fails what is still to be sent. Call it when nothing is on its way.
  void FailAll();

 private:
  void SendPart(std::unique_ptr<PendingTake> part) override;
  void OnOver(SplitTake& take) override;

  EventLoop& loop_;
  const SteadyDuration command_timeout_;
  Router& router_;
  absl::flat_hash_map<SplitTake*, std::unique_ptr<SplitTake>> splits_;
  PendingTakes later_;
  bool flush_posted_ = false;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_SPLIT_TAKES_H_
