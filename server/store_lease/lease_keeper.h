#ifndef RLS_STORE_LEASE_LEASE_KEEPER_H_
#define RLS_STORE_LEASE_LEASE_KEEPER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"
#include "store_lease/lease_ends.h"
#include "store_lease/lease_table.h"

namespace rls {

// Leases units from a store, serves charges from them, and gives back in time
// what was not used.
//
// Threads: every method may be called by many threads at once.
// Lifetime: it must outlive the takes it has begun; so the store goes first,
// and the loop must not run when the keeper is destroyed.
class LeaseKeeper {
 public:
  LeaseKeeper(CounterStore& store, EventLoop& loop, const Clock& clock,
              Metrics& metrics);
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  // A charge with lease terms, as far as it was served here.
  struct Served {
    Hash128 counter;
    Lease used;  // `left` of the charge's units
    // When the store need not be asked.
    std::optional<Outcome> outcome;
  };
  // A request's only charge of a counter that was just found exhausted is
  // refused here, unless its accounting counts refusals. Units are held, and
  // Release() or PutBack() must follow, unless the only charge was served
  // whole.
  Served Serve(const Charge& charge, bool is_only, Accounting accounting);
  void Release(const Served& served);
  // The charge was not made after all. Gives what is left. `store_answers`:
  // else nothing is asked of it.
  int64_t PutBack(const Served& served, bool store_answers);
  // What the store said of what was left of the charge, asked at `asked_at`:
  // completes the outcome.
  void Hear(const Charge& charge, const Served& served, absl::Duration asked_at,
            Outcome& outcome);

  // Gives back all it holds and leases no more. `done` runs when the store has
  // answered.
  void ReturnAll(absl::AnyInvocable<void()> done);

 private:
  // A take of its own.
  struct Errand {
    Hash128 counter;
    absl::Duration asked_at;
    LeaseTerms terms;
    Booking booking;
    Charge charge;
  };
  using Errands = std::vector<std::unique_ptr<Errand>>;

  bool MayLease(LeaseTable::Place& place, const Charge& charge,
                Errands& errands);
  void LeaseIfDue(LeaseTable::Place& place, const Charge& charge,
                  absl::Duration now, Errands& errands);
  void GiveBack(LeaseTable::Place& place, const std::vector<Lease>& leases,
                Errands& errands);
  void Send(Errands errands);
  void OnTaken(const Errand& errand,
               const absl::StatusOr<absl::Span<const Outcome>>& outcomes);
  void OnLeased(const Errand& errand, LeasedCounter& counter,
                const absl::StatusOr<absl::Span<const Outcome>>& outcomes);
  void AddErrand(LeaseTable::Place& place, std::unique_ptr<Errand> errand,
                 Errands& errands);
  // Changes a counter that has a place; then goes on the errands that follow,
  // and awaits the end of its first lease.
  void Change(const Hash128& counter,
              absl::FunctionRef<void(LeaseTable::Place&, Errands&)> change);
  void EndLeases(const Hash128& counter);
  void EndErrands(int ended);

  CounterStore& store_;
  const Clock& clock_;
  Counter& served_;
  Counter& leased_;
  Counter& returned_;
  Counter& lapsed_;
  const HashSeed seed_;
  LeaseTable table_;
  std::atomic<bool> closed_{false};
  LeaseEnds ends_;

  Mutex mutex_;
  int errands_ ABSL_GUARDED_BY(mutex_) = 0;  // on their way
  absl::AnyInvocable<void()> on_idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASE_KEEPER_H_
