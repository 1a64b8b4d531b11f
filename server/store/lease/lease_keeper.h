#ifndef RLS_STORE_LEASE_LEASE_KEEPER_H_
#define RLS_STORE_LEASE_LEASE_KEEPER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "limit/key_hash.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"
#include "store/lease/leased_counters.h"

namespace rls {

// Runs a callback on the loop's thread when the lease of a counter ends.
//
// Threads: Add() may be called by many threads at once.
// Lifetime: the loop must have stopped when this object is destroyed.
class LeaseEnds {
 public:
  LeaseEnds(EventLoop& loop, const Clock& clock,
            absl::AnyInvocable<void(const Hash128& counter)> ended);
  LeaseEnds(const LeaseEnds&) = delete;
  LeaseEnds& operator=(const LeaseEnds&) = delete;

  // `at`: of Clock::Elapsed(). The callback may run before Add() returns.
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

// Leases units from a store, serves charges from them, and returns the unused
// units in time. To lease and to return, it sends takes of its own to the store
// (background takes); no request waits for them.
//
// Threads: every method may be called by many threads at once.
// Lifetime: the keeper must outlive its background takes. So the store is
// destroyed first, and the loop must have stopped.
class LeaseKeeper {
 public:
  LeaseKeeper(CounterStore& store, EventLoop& loop, const Clock& clock,
              Metrics& metrics);
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  // The result of Serve().
  struct Served {
    Hash128 counter;
    Lease used;  // `used.left` units of the charge came from leases
    // Has a value if the charge need not go to the store.
    std::optional<Outcome> outcome;
  };
  // Serves a charge that has lease terms, in full or in part, or refuses it. It
  // refuses only the one charge of a request (`is_only`), if the store has just
  // found the counter exhausted, and if the accounting does not count refusals.
  //
  // Release() or PutBack() must follow, except after a charge with `is_only`
  // that was served in full.
  Served Serve(const Charge& charge, bool is_only, Accounting accounting);
  void Release(const Served& served);
  // Reverses Serve() because the charge is not made after all. Returns the
  // units that remain. With `store_answers` false, units that have ended are
  // counted as lapsed instead of sent to the store.
  int64_t PutBack(const Served& served, bool store_answers);
  // The store's answer to the rest of a charge that was sent at `sent_at`.
  // Completes the outcome.
  void OnAnswer(const Charge& charge, const Served& served,
                absl::Duration sent_at, Outcome& outcome);

  // Returns all leased units to the store and leases no more. `done` runs when
  // the store has answered.
  void ReturnAll(absl::AnyInvocable<void()> done);

 private:
  struct BackgroundTake {
    Hash128 counter;
    absl::Duration sent_at;
    LeaseTerms terms;
    Booking booking;
    Charge charge;
  };
  using BackgroundTakes = std::vector<std::unique_ptr<BackgroundTake>>;
  using Place = LeasedCounters::Place;

  bool MayLease(Place& place, const Charge& charge, BackgroundTakes& takes);
  void LeaseIfDue(Place& place, const Charge& charge, absl::Duration now,
                  BackgroundTakes& takes);
  void GiveBack(Place& place, const std::vector<Lease>& leases,
                BackgroundTakes& takes);
  void AddTake(Place& place, std::unique_ptr<BackgroundTake> take,
               BackgroundTakes& takes);
  void Send(BackgroundTakes takes);
  void OnTaken(const BackgroundTake& take,
               const absl::StatusOr<absl::Span<const Outcome>>& outcomes);
  void OnLeased(const BackgroundTake& take, LeasedCounter& counter,
                const absl::StatusOr<absl::Span<const Outcome>>& outcomes);
  // Runs `change` if the counter has a place. Then sends the takes that
  // `change` has added, and awaits the earliest end of a lease.
  void Change(const Hash128& counter,
              absl::FunctionRef<void(Place&, BackgroundTakes&)> change);
  void EndLeases(const Hash128& counter);
  void EndTake();

  CounterStore& store_;
  const Clock& clock_;
  Counter& served_;
  Counter& leased_;
  Counter& returned_;
  Counter& lapsed_;
  const HashSeed seed_;
  LeasedCounters counters_;
  std::atomic<bool> closed_{false};
  LeaseEnds ends_;

  Mutex mutex_;
  int pending_takes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::AnyInvocable<void()> on_idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASE_KEEPER_H_
