#ifndef RLS_STORE_LEASE_LEASE_ENDS_H_
#define RLS_STORE_LEASE_LEASE_ENDS_H_

#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "limit/key_hash.h"
#include "net/event_loop.h"

namespace rls {

// Tells, on a loop's thread, of which counters leases end.
//
// Threads: Add() may be called by many threads at once.
// Lifetime: the loop must not run when it is destroyed.
class LeaseEnds {
 public:
  LeaseEnds(EventLoop& loop, const Clock& clock,
            absl::AnyInvocable<void(const Hash128& counter)> ended);
  LeaseEnds(const LeaseEnds&) = delete;
  LeaseEnds& operator=(const LeaseEnds&) = delete;

  // `at`: of Clock::Elapsed(). May tell before it returns.
  void Add(const Hash128& counter, absl::Duration at);

 private:
  struct End {
    absl::Duration at;
    Hash128 counter;
    bool operator>(const End& other) const { return at > other.at; }
  };

  void OnTimer();

  EventLoop& loop_;
  const Clock& clock_;
  absl::AnyInvocable<void(const Hash128&)> ended_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  Mutex mutex_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASE_ENDS_H_
