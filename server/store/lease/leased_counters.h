#ifndef RLS_STORE_LEASE_LEASED_COUNTERS_H_
#define RLS_STORE_LEASE_LEASED_COUNTERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/key_hash.h"
#include "limit/lease.h"
#include "store/striped_table.h"

namespace rls {

// Units that a replica has leased and may use.
struct Lease {
  int64_t left = 0;
  absl::Duration usable_until;
  // Whether the window of the units is over at `usable_until`. Then there is
  // nothing to give back.
  bool ends_with_window = false;
  absl::Time slot;  // Outcome::slot of the charge that took the units
};

// A replica's view of one counter: the demand, the last answer of the store,
// and the leases. Arithmetic only.
//
// Units: times are Clock::Elapsed(). An answer of the store is dated to the
// moment at which the take was sent, not to the moment at which the store
// judged it. Leases therefore expire early, never late.
// Threads: not thread-safe; the lock of its place guards it.
class LeasedCounter {
 public:
  // Adds the units of a charge to the demand.
  void CountDemand(int64_t units, absl::Duration now, absl::Duration ttl);

  // Units of all leases that may be used at `now`.
  int64_t Left(absl::Duration now) const;
  // Uses up to `units` units, the oldest lease first. Returns them as a lease,
  // with the end and slot of the oldest lease that they come from.
  Lease Use(int64_t units, absl::Duration now);
  // Used units count as on hand between Retain() and Release(): until it is
  // certain whether the request is allowed.
  void Retain(const Lease& used) { retained_ += used.left; }
  void Release(const Lease& used) { retained_ -= used.left; }
  // Reverses Use(). False if the units are not usable any more.
  bool PutBack(const Lease& used, absl::Duration now);

  // The store's answer to a charge of `cost` that was sent at `sent_at`.
  void OnAnswer(const Outcome& outcome, int64_t cost, absl::Duration sent_at);
  // The outcome of a charge that was served from leases.
  Outcome ServedOutcome(absl::Duration now) const;
  // The refusal of a charge without the store, if the store's last answer
  // refused a charge of at most `cost` with nothing left: the store would
  // refuse this charge too, until the same time or later. Once in a while one
  // charge gets no value, and should ask the store.
  std::optional<Outcome> KnownRefusal(int64_t cost, absl::Duration now);

  // Units to lease now, or 0. If not 0, StartLease() and then EndLease() or
  // LoseLease() must follow.
  int64_t UnitsWanted(const Policy& policy, const LeaseTerms& terms,
                      absl::Duration now) const;
  void StartLease() { leasing_ = true; }
  // The store has answered. No lease: it refused the units.
  void EndLease(const std::optional<Lease>& lease) {
    leasing_ = false;
    if (lease.has_value()) leases_.push_back(*lease);
  }
  // The answer is lost: the store may have charged the units.
  void LoseLease(absl::Duration no_lease_until) {
    leasing_ = false;
    no_lease_until_ = no_lease_until;
  }

  // Removes the leases that have ended, or all of them.
  std::vector<Lease> TakeEnded(absl::Duration now);
  std::vector<Lease> TakeAll();

  bool holds_leases() const { return !leases_.empty() || retained_ > 0; }
  // The earliest end of a lease; no value without leases.
  std::optional<absl::Duration> NextEnd() const;
  // The time of the last demand.
  absl::Duration last_used() const { return last_used_; }

 private:
  absl::Duration AgeOfAnswer(absl::Duration now) const {
    return now - answered_at_;
  }

  std::vector<Lease> leases_;  // the oldest first
  int64_t retained_ = 0;       // used by requests without an answer yet
  bool leasing_ = false;
  absl::Duration no_lease_until_;
  Outcome answer_;
  int64_t answered_cost_ = 0;
  absl::Duration answered_at_ = -absl::InfiniteDuration();
  absl::Duration refuse_until_;
  absl::Duration last_used_;
  // Demand in the period that began at `period_`, and in the one before.
  absl::Duration period_;
  int64_t demand_ = 0;
  int64_t demand_before_ = 0;
};

// A copy of a counter's key and limit, for charges that outlive the request.
class LeasedKey {
 public:
  explicit LeasedKey(const Charge& charge);
  LeasedKey(const LeasedKey&) = delete;
  LeasedKey& operator=(const LeasedKey&) = delete;

  const Policy& policy() const { return policy_; }
  CounterKey key() const;

 private:
  const Policy policy_;
  const std::string scope_;
  std::vector<std::string> parts_;
  std::vector<absl::string_view> views_;
  const size_t tag_part_;
  const bool secret_;
};

// The fields of a policy that a reload or another tier may change while the
// counter stays the same. The scope of the counter key fixes all others.
struct Amounts {
  int64_t limit = 0;
  int64_t burst = 0;
  BurstMode burst_mode = BurstMode::kEarned;

  explicit Amounts(const Policy& policy)
      : limit(policy.limit),
        burst(policy.burst),
        burst_mode(policy.burst_mode) {}
  Amounts() = default;
  friend bool operator==(const Amounts&, const Amounts&) = default;
};

// The counters that a replica may lease units of: at most kMaxCounters. A new
// counter replaces the least recently used one that is not busy. Allocates its
// memory for the first counter.
//
// Threads: every method may be called by many threads at once.
class LeasedCounters {
 public:
  static constexpr size_t kMaxCounters = 8192;

  struct Place {
    Hash128 key;
    Amounts amounts;  // the ones that `counter` is valid for
    LeasedCounter counter;
    std::unique_ptr<const LeasedKey> leased_key;  // since the first lease
    int pending_takes = 0;    // takes of LeaseKeeper that use `leased_key`
    bool awaits_end = false;  // LeaseEnds has an entry for this counter

    // The earliest end of a lease, unless LeaseEnds has an entry already: it
    // has one entry per counter, so that its size is bounded too.
    std::optional<absl::Duration> AwaitNextEnd();
    absl::Duration last_used() const { return counter.last_used(); }
    bool busy() const { return pending_takes > 0 || counter.holds_leases(); }
  };

  LeasedCounters() = default;
  LeasedCounters(const LeasedCounters&) = delete;
  LeasedCounters& operator=(const LeasedCounters&) = delete;

  // Runs `use` under the lock of the counter's place, and gives the counter a
  // place if needed; null if all places that it could have are busy.
  void With(const Hash128& counter, absl::FunctionRef<void(Place*)> use);
  // Runs `use` under the lock if the counter has a place.
  void WithKnown(const Hash128& counter, absl::FunctionRef<void(Place&)> use);
  // Runs `use` for every counter that is busy, each under its lock.
  void ForEachBusy(absl::FunctionRef<void(Place&)> use);

 private:
  StripedTable<Place>& Table();

  std::once_flag made_;
  std::unique_ptr<StripedTable<Place>> table_;
};

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASED_COUNTERS_H_
