#ifndef RLS_STORE_LEASE_LEASE_TABLE_H_
#define RLS_STORE_LEASE_LEASE_TABLE_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "limit/key_hash.h"
#include "store_lease/leased_counter.h"

namespace rls {

// A counter's key and limit, kept for charges that outlive the request they
// were first read from.
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

// Of a policy, what a reload or another tier may change of one counter: its
// scope tells the rest.
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

// The counters that a replica may lease units of, those that were asked of last
// if there are too many. Its memory is taken when the first one comes.
//
// Threads: every method may be called by many threads at once.
class LeaseTable {
 public:
  // What holds or awaits leases is never pushed out, so no more than these do.
  static constexpr size_t kMaxCounters = 8192;

  struct Place {
    Hash128 hash;
    Amounts amounts;  // what `counter` knows holds for these
    LeasedCounter counter;
    std::unique_ptr<const LeasedKey> key;  // since it first leased
    int errands = 0;                       // takes on their way that use `key`
    bool awaits_end = false;               // of a lease: LeaseEnds will tell

    // The end of its first lease, unless one is awaited already: of one lease
    // of a counter at a time, so that they are no more than these.
    std::optional<absl::Duration> AwaitNextEnd();
    bool busy() const { return errands > 0 || counter.holds_leases(); }
  };

  LeaseTable();
  ~LeaseTable();
  LeaseTable(const LeaseTable&) = delete;
  LeaseTable& operator=(const LeaseTable&) = delete;

  // Calls `use` under the lock of the counter's place, which is a new one if
  // the counter has none; null when all it could have are busy.
  void With(const Hash128& hash, absl::FunctionRef<void(Place*)> use);
  // The same, if it has one.
  void WithKnown(const Hash128& hash, absl::FunctionRef<void(Place&)> use);
  // The same, for every counter that is busy.
  void ForEachBusy(absl::FunctionRef<void(Place&)> use);

 private:
  struct Stripe;

  Stripe* Stripes();

  std::once_flag made_;
  std::unique_ptr<Stripe[]> stripes_;
};

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASE_TABLE_H_
