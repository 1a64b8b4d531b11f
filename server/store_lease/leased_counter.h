#ifndef RLS_STORE_LEASE_LEASED_COUNTER_H_
#define RLS_STORE_LEASE_LEASED_COUNTER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/lease.h"

namespace rls {

// Units that a replica has leased and may use.
struct Lease {
  int64_t left = 0;
  absl::Duration usable_until;
  // Their window is over then: there is nothing to give back.
  bool ends_with_window = false;
  absl::Time slot;  // Outcome::slot of the charge that took them
};

// One counter as a replica sees it that leases: how much is asked of it, what
// the store has told, and what it holds. Arithmetic only.
//
// Units: times are Clock::Elapsed(). What was true in the store when it judged
// is taken to have been so when it was asked, which is earlier: so no lease
// seems to last longer than it does.
// Threads: none; its table's lock guards it.
class LeasedCounter {
 public:
  // `units` are asked of it.
  void CountDemand(int64_t units, absl::Duration now, absl::Duration ttl);

  int64_t Held(absl::Duration now) const;
  // Uses as many of `units` as it holds: what was leased first goes first.
  // Gives them as a lease of their own, the oldest of those they were in.
  Lease Use(int64_t units, absl::Duration now);
  // What was used is held until it is clear whether the request is allowed.
  void Hold(const Lease& used) { in_use_ += used.left; }
  void Release(const Lease& used) { in_use_ -= used.left; }
  // The other way round than Use(); false when they are not usable any more.
  bool PutBack(const Lease& used, absl::Duration now);

  // The store has said `outcome` of a charge of `cost`, asked at `asked_at`.
  void Learn(const Outcome& outcome, int64_t cost, absl::Duration asked_at);
  // What a charge is told that was served from a lease.
  Outcome Tell(absl::Duration now) const;
  // The store refused the last charge, of no more than `cost`, and had nothing
  // left a moment ago: it would refuse this one, until the same time or later.
  // Whoever gets none is to ask it, and one at a time is enough.
  std::optional<Outcome> KnownRefusal(int64_t cost, absl::Duration now);

  // Units to lease now, 0: none. Then StartLease(), and what came of it.
  int64_t Wish(const Policy& policy, const LeaseTerms& terms,
               absl::Duration now) const;
  void StartLease() { leasing_ = true; }
  // The store took the units (`lease`), refused them (none), or it is not known
  // whether it took them.
  void EndLease(const std::optional<Lease>& lease) {
    leasing_ = false;
    if (lease.has_value()) leases_.push_back(*lease);
  }
  void LoseLease(absl::Duration until) {
    leasing_ = false;
    lease_after_ = until;
  }

  // Takes out the leases that have ended, or all of them.
  std::vector<Lease> TakeEnded(absl::Duration now);
  std::vector<Lease> TakeAll();

  bool holds_leases() const { return !leases_.empty() || in_use_ > 0; }
  // The first end of a lease; none when there is none.
  std::optional<absl::Duration> NextEnd() const;
  absl::Duration last_asked() const { return asked_at_; }

 private:
  absl::Duration SinceTold(absl::Duration now) const { return now - told_at_; }

  std::vector<Lease> leases_;  // the oldest first
  int64_t in_use_ = 0;         // of requests that are not answered
  bool leasing_ = false;
  absl::Duration lease_after_;
  Outcome told_;
  int64_t told_cost_ = 0;
  absl::Duration told_at_ = -absl::InfiniteDuration();
  absl::Duration refuse_until_;
  absl::Duration asked_at_;
  // Demand in the period that began at `period_`, and in the one before.
  absl::Duration period_;
  int64_t demand_ = 0;
  int64_t demand_before_ = 0;
};

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASED_COUNTER_H_
