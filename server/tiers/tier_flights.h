#ifndef RLS_TIERS_TIER_FLIGHTS_H_
#define RLS_TIERS_TIER_FLIGHTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "tiers/tier_metrics.h"

namespace rls {

// The fetches of one tier source that are under way or queued. A flight is the
// fetch of one user's tier; all lookups of that user share it. At most
// `max_concurrent` flights fly at a time. The others wait in a queue that is
// bounded in length and in time. After kFailuresToPause failures in a row the
// source is paused: lookups fail at once, and one trial per kPause finds out
// whether the source works again.
//
// Threads: the loop's thread only, except is_paused().
class TierFlights {
 public:
  // The user's tier, "" for a user without a tier, or the reason of a failure.
  using Result = absl::StatusOr<std::string>;
  using ResultCallback = absl::AnyInvocable<void(const Result&)>;

  struct Dependencies {
    EventLoop& loop;
    const Clock& clock;
    TierMetrics& metrics;
    size_t max_concurrent;
    absl::Duration timeout;  // of a fetch, and of the wait in the queue
    // Fetches a tier from `url`. `done` runs exactly once, later, on the loop.
    // CANCELLED: no further fetch is possible.
    absl::AnyInvocable<void(const std::string& url,
                            absl::AnyInvocable<void(Result)> done)>
        fetch;
    // Receives each fetched result before the lookups that wait for it.
    absl::AnyInvocable<void(const std::string& user, const Result&)> landed;
  };
  struct Lookup {
    std::string user;
    std::string url;
    SteadyDuration max_wait = {};  // then `done` gets DEADLINE_EXCEEDED
    ResultCallback done;           // null: the lookup only starts a fetch
  };

  explicit TierFlights(Dependencies dependencies)
      : dependencies_(std::move(dependencies)) {}
  TierFlights(const TierFlights&) = delete;
  TierFlights& operator=(const TierFlights&) = delete;

  // Joins the flight of this user, or begins one.
  // Failure: ABORTED (busy or paused), or the failure of the fetch.
  void Join(Lookup lookup);
  // Like Join(), but joins a flight only while it is in the queue, so that its
  // fetch begins after this call. Ignores the pause.
  void JoinNext(Lookup lookup);

  bool is_paused() const;

  static constexpr int kFailuresToPause = 5;
  static constexpr absl::Duration kPause = absl::Seconds(1);
  static constexpr size_t kMaxQueued = 1000;

 private:
  struct Waiter {
    std::unique_ptr<EventLoop::Timer> timer;
    ResultCallback done;
  };
  using Waiters = std::list<Waiter>;
  struct Flight {
    std::string user;
    std::string url;
    bool is_flying = false;  // false: in the queue
    SteadyTime queued_at;
    Waiters waiters;
    Waiters next;  // wait for another fetch, after this one
  };

  static void Answer(Waiters& waiters, const Result& result);

  Result Skip(LookupResult why);
  Flight* FindFlight(const std::string& user);
  void Begin(Lookup lookup);
  void Wait(Lookup lookup, Waiters& waiters);
  void Fly(Flight& flight);
  void FlyQueued();
  void Land(Flight& flight, const Result& result);
  void CountFailures(const Result& result);
  void PauseFor(absl::Duration duration);
  void DropFirst(const Result& result);

  Dependencies dependencies_;
  absl::flat_hash_map<std::string, std::unique_ptr<Flight>> flights_;
  std::deque<Flight*> queue_;
  size_t flying_ = 0;
  int failures_ = 0;  // in a row
  // Clock::Elapsed() in nanoseconds; 0: not paused.
  std::atomic<int64_t> paused_until_ns_{0};
};

}  // namespace rls

#endif  // RLS_TIERS_TIER_FLIGHTS_H_
