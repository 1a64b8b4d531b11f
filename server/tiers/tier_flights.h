#ifndef RLS_TIERS_TIER_FLIGHTS_H_
#define RLS_TIERS_TIER_FLIGHTS_H_

#include <atomic>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "tiers/tier_metrics.h"

namespace rls {

// The calls of one source that are under way: one for each user however many
// wait for it, at most so many at once; the rest stand in a queue that is
// bounded in length and time. After kFailuresToPause failures in a row nobody
// waits for the source any more: it is tried once in a while until it answers.
//
// Threads: the loop's only, but for is_paused().
class TierFlights {
 public:
  // The tier, "" for none, or why it is not known.
  using Reply = absl::StatusOr<std::string>;
  using ReplyCallback = absl::AnyInvocable<void(const Reply&)>;

  struct Parts {
    EventLoop& loop;
    TierMetrics& metrics;
    size_t max_concurrent;
    SteadyDuration timeout;  // of a call, and of the wait for its turn
    // Makes the call; its callback runs exactly once, later, on the loop.
    // CANCELLED when no further call can be made.
    absl::AnyInvocable<void(const std::string& url,
                            absl::AnyInvocable<void(Reply)> done)>
        call;
    // What came of a call, before those hear that wait for it.
    absl::AnyInvocable<void(const std::string& user, const Reply&)> landed;
  };
  struct Caller {
    std::string user;
    std::string url;
    SteadyDuration patience = {};  // then DEADLINE_EXCEEDED, without the reply
    ReplyCallback done;            // null: nobody waits
  };

  explicit TierFlights(Parts parts) : parts_(std::move(parts)) {}
  TierFlights(const TierFlights&) = delete;
  TierFlights& operator=(const TierFlights&) = delete;

  // Joins the call for this user, or begins one.
  // Failure: ABORTED (busy, paused), or the call's.
  void Join(Caller caller);
  // The same with a call that has not begun yet, even while paused.
  void JoinNext(Caller caller);

  bool is_paused() const;

  static constexpr int kFailuresToPause = 5;
  static constexpr std::chrono::seconds kPause{1};
  static constexpr size_t kMaxQueued = 1000;

 private:
  struct Waiter {
    std::unique_ptr<EventLoop::Timer> timer;
    ReplyCallback done;
  };
  using Waiters = std::list<Waiter>;
  struct Flight {
    std::string user;
    std::string url;
    bool is_flying = false;  // else in the queue
    SteadyTime asked_at;
    Waiters waiters;
    Waiters next;  // wait for another call after this one
  };

  static void Answer(Waiters& waiters, const Reply& reply);

  Reply Skip(LookupResult why);
  Flight* FindFlight(const std::string& user);
  void Begin(Caller caller);
  void Wait(Caller caller, Waiters& waiters);
  void Fly(Flight& flight);
  void FlyQueued();
  void Land(Flight& flight, const Reply& reply);
  void CountFailures(const Reply& reply);
  void DropFirst(const Reply& reply);

  Parts parts_;
  absl::flat_hash_map<std::string, std::unique_ptr<Flight>> flights_;
  std::deque<Flight*> queue_;
  size_t flying_ = 0;
  int failures_ = 0;  // in a row
  // Since the epoch of SteadyTime; 0: not paused.
  std::atomic<SteadyDuration::rep> paused_until_{0};
};

}  // namespace rls

#endif  // RLS_TIERS_TIER_FLIGHTS_H_
