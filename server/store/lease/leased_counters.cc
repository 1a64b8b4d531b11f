#include "store/lease/leased_counters.h"

#include <algorithm>
#include <utility>

namespace rls {
namespace {

// One in use, and its successor.
constexpr size_t kMaxLeases = 2;

// The store may have units again: other replicas may have returned some.
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
  last_used_ = now;
}

int64_t LeasedCounter::Left(absl::Duration now) const {
  int64_t left = 0;
  for (const Lease& lease : leases_) {
    if (now < lease.usable_until) left += lease.left;
  }
  return left;
}

Lease LeasedCounter::Use(int64_t units, absl::Duration now) {
  Lease used;
  for (auto lease = leases_.begin();
       lease != leases_.end() && used.left < units;) {
    if (now >= lease->usable_until) {
      ++lease;
      continue;
    }
    const int64_t taken = std::min(units - used.left, lease->left);
    if (used.left == 0) {
      used = {.usable_until = lease->usable_until,
              .ends_with_window = lease->ends_with_window,
              .slot = lease->slot};
    }
    used.left += taken;
    lease->left -= taken;
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

void LeasedCounter::OnAnswer(const Outcome& outcome, int64_t cost,
                             absl::Duration sent_at) {
  // Answers may overtake each other.
  if (sent_at < answered_at_) return;
  answer_ = outcome;
  answered_cost_ = cost;
  answered_at_ = sent_at;
  refuse_until_ = sent_at + std::min(kRefusalTime, outcome.retry_after);
}

Outcome LeasedCounter::ServedOutcome(absl::Duration now) const {
  Outcome outcome;
  outcome.remaining = answer_.remaining + Left(now);
  outcome.reset_after =
      std::max(absl::ZeroDuration(), answer_.reset_after - AgeOfAnswer(now));
  return outcome;
}

std::optional<Outcome> LeasedCounter::KnownRefusal(int64_t cost,
                                                   absl::Duration now) {
  const absl::Duration age = AgeOfAnswer(now);
  if (answer_.allowed || answer_.remaining > 0 || cost < answered_cost_ ||
      age >= answer_.retry_after) {
    return std::nullopt;
  }
  if (now >= refuse_until_) {
    refuse_until_ = now + kRefusalTime;
    return std::nullopt;
  }
  Outcome outcome = answer_;
  outcome.retry_after -= age;
  outcome.reset_after =
      std::max(absl::ZeroDuration(), answer_.reset_after - age);
  return outcome;
}

int64_t LeasedCounter::UnitsWanted(const Policy& policy,
                                   const LeaseTerms& terms,
                                   absl::Duration now) const {
  if (leasing_ || now < no_lease_until_ || leases_.size() >= kMaxLeases)
    return 0;
  // The answer about a window does not apply to the next one. A bucket has only
  // gained units since its answer.
  if (policy.algorithm != Algorithm::kTokenBucket &&
      AgeOfAnswer(now) >= answer_.reset_after) {
    return 0;
  }
  return UnitsToLease(policy, terms,
                      {.demand = std::max(demand_, demand_before_),
                       .on_hand = Left(now) + retained_,
                       .remaining = answer_.remaining});
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

LeasedKey::LeasedKey(const Charge& charge)
    : policy_(*charge.policy),
      scope_(charge.key.scope),
      tag_part_(charge.key.tag_part),
      secret_(charge.key.secret) {
  parts_.reserve(charge.key.parts.size());  // the views point into it
  for (const absl::string_view part : charge.key.parts) {
    views_.push_back(parts_.emplace_back(part));
  }
}

CounterKey LeasedKey::key() const {
  return {.scope = scope_,
          .parts = views_,
          .tag_part = tag_part_,
          .secret = secret_};
}

std::optional<absl::Duration> LeasedCounters::Place::AwaitNextEnd() {
  if (awaits_end) return std::nullopt;
  const std::optional<absl::Duration> end = counter.NextEnd();
  awaits_end = end.has_value();
  return end;
}

void LeasedCounters::With(const Hash128& counter,
                          absl::FunctionRef<void(Place*)> use) {
  Table().FindOrMake(counter, use);
}

void LeasedCounters::WithKnown(const Hash128& counter,
                               absl::FunctionRef<void(Place&)> use) {
  Table().Find(counter, [use](Place* place) {
    if (place != nullptr) use(*place);
  });
}

void LeasedCounters::ForEachBusy(absl::FunctionRef<void(Place&)> use) {
  Table().ForEach([use](Place& place) {
    if (place.busy()) use(place);
  });
}

StripedTable<LeasedCounters::Place>& LeasedCounters::Table() {
  std::call_once(made_, [this] {
    table_ = std::make_unique<StripedTable<Place>>(kMaxCounters);
  });
  return *table_;
}

}  // namespace rls
