#include "store_lease/leased_counter.h"

#include <algorithm>
#include <utility>

namespace rls {
namespace {

// One that is used, and one that takes its place.
constexpr size_t kMaxLeases = 2;

// Others may give units back: after so long the store is asked again.
constexpr absl::Duration kRefusalTime = absl::Milliseconds(100);

}  // namespace

void LeasedCounter::CountDemand(int64_t units, absl::Duration now,
                                absl::Duration ttl) {
  const absl::Duration passed = now - period_;
  if (passed >= ttl) {
    demand_before_ = passed < 2 * ttl ? demand_ : 0;
    demand_ = 0;
    period_ = now;
  }
  demand_ = std::min(kMaxAmount, demand_ + units);
  asked_at_ = now;
}

int64_t LeasedCounter::Held(absl::Duration now) const {
  int64_t held = 0;
  for (const Lease& lease : leases_) {
    if (now < lease.usable_until) held += lease.left;
  }
  return held;
}

Lease LeasedCounter::Use(int64_t units, absl::Duration now) {
  Lease used;
  for (auto lease = leases_.begin();
       lease != leases_.end() && used.left < units;) {
    if (now >= lease->usable_until) {
      ++lease;
      continue;
    }
    const int64_t part = std::min(units - used.left, lease->left);
    if (used.left == 0) {
      used = {.usable_until = lease->usable_until,
              .ends_with_window = lease->ends_with_window,
              .slot = lease->slot};
    }
    used.left += part;
    lease->left -= part;
    lease = lease->left == 0 ? leases_.erase(lease) : lease + 1;
  }
  return used;
}

bool LeasedCounter::PutBack(const Lease& used, absl::Duration now) {
  if (now >= used.usable_until) return false;
  for (Lease& lease : leases_) {
    if (lease.slot != used.slot) continue;
    lease.left += used.left;
    return true;
  }
  leases_.insert(leases_.begin(), used);
  return true;
}

void LeasedCounter::Learn(const Outcome& outcome, int64_t cost,
                          absl::Duration asked_at) {
  // Answers may overtake each other.
  if (asked_at < told_at_) return;
  told_ = outcome;
  told_cost_ = cost;
  told_at_ = asked_at;
  refuse_until_ = asked_at + std::min(kRefusalTime, outcome.retry_after);
}

Outcome LeasedCounter::Tell(absl::Duration now) const {
  Outcome outcome;
  outcome.remaining = told_.remaining + Held(now);
  outcome.reset_after =
      std::max(absl::ZeroDuration(), told_.reset_after - SinceTold(now));
  return outcome;
}

std::optional<Outcome> LeasedCounter::KnownRefusal(int64_t cost,
                                                   absl::Duration now) {
  const absl::Duration age = SinceTold(now);
  if (told_.allowed || told_.remaining > 0 || cost < told_cost_ ||
      age >= told_.retry_after) {
    return std::nullopt;
  }
  if (now >= refuse_until_) {
    refuse_until_ = now + kRefusalTime;
    return std::nullopt;
  }
  Outcome outcome = told_;
  outcome.retry_after -= age;
  outcome.reset_after = std::max(absl::ZeroDuration(), told_.reset_after - age);
  return outcome;
}

int64_t LeasedCounter::Wish(const Policy& policy, const LeaseTerms& terms,
                            absl::Duration now) const {
  if (leasing_ || now < lease_after_ || leases_.size() >= kMaxLeases) return 0;
  // What it was told of a window that is over says nothing of the next one.
  // A bucket has dripped since.
  if (policy.algorithm != Algorithm::kTokenBucket &&
      SinceTold(now) >= told_.reset_after) {
    return 0;
  }
  return UnitsToLease(policy, terms,
                      {.demand = std::max(demand_, demand_before_),
                       .held = Held(now) + in_use_,
                       .remaining = told_.remaining});
}

std::vector<Lease> LeasedCounter::TakeEnded(absl::Duration now) {
  std::vector<Lease> ended;
  const auto first_live = std::stable_partition(
      leases_.begin(), leases_.end(),
      [now](const Lease& lease) { return now >= lease.usable_until; });
  ended.assign(leases_.begin(), first_live);
  leases_.erase(leases_.begin(), first_live);
  return ended;
}

std::optional<absl::Duration> LeasedCounter::NextEnd() const {
  if (leases_.empty()) return std::nullopt;
  return std::min_element(leases_.begin(), leases_.end(),
                          [](const Lease& a, const Lease& b) {
                            return a.usable_until < b.usable_until;
                          })
      ->usable_until;
}

std::vector<Lease> LeasedCounter::TakeAll() {
  return std::exchange(leases_, {});
}

}  // namespace rls
