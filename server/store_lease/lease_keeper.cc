#include "store_lease/lease_keeper.h"

#include <utility>

namespace rls {

LeaseKeeper::LeaseKeeper(CounterStore& store, EventLoop& loop,
                         const Clock& clock, Metrics& metrics)
    : store_(store),
      clock_(clock),
      served_(metrics.GetCounter(
          {.name = "ratelimitd_lease_answers_total",
           .help = "Charges answered from leased units, without the store"})),
      leased_(metrics.GetCounter({.name = "ratelimitd_leased_units_total",
                                  .help = "Units leased from the store"})),
      returned_(
          metrics.GetCounter({.name = "ratelimitd_lease_returned_units_total",
                              .help = "Leased units given back unused"})),
      lapsed_(metrics.GetCounter({.name = "ratelimitd_lease_lapsed_units_total",
                                  .help = "Leased units neither used nor given "
                                          "back"})),
      seed_(RandomSeed()),
      ends_(loop, clock,
            [this](const Hash128& counter) { EndLeases(counter); }) {}

LeaseKeeper::Served LeaseKeeper::Serve(const Charge& charge, bool is_only,
                                       Accounting accounting) {
  const absl::Duration now = clock_.Elapsed();
  Served served{.counter = HashKey(seed_, charge.key)};
  Errands errands;
  table_.With(served.counter, [&](LeaseTable::Place* place) {
    if (place == nullptr || !MayLease(*place, charge, errands)) return;
    LeasedCounter& counter = place->counter;
    counter.CountDemand(charge.cost, now, charge.lease->ttl);
    served.used = counter.Use(charge.cost, now);
    const bool is_whole = served.used.left == charge.cost;
    if (!is_whole || !is_only) counter.Hold(served.used);
    if (is_whole) {
      served.outcome = counter.Tell(now);
      served_.Add(1);
      LeaseIfDue(*place, charge, now, errands);
    } else if (is_only && accounting == Accounting::kAllOrNothing &&
               served.used.left == 0) {
      served.outcome = counter.KnownRefusal(charge.cost, now);
    }
  });
  Send(std::move(errands));
  return served;
}

void LeaseKeeper::Release(const Served& served) {
  table_.WithKnown(served.counter, [&](LeaseTable::Place& place) {
    place.counter.Release(served.used);
  });
}

int64_t LeaseKeeper::PutBack(const Served& served, bool store_answers) {
  const absl::Duration now = clock_.Elapsed();
  int64_t remaining = 0;
  // What is held has kept its place.
  Change(served.counter, [&](LeaseTable::Place& place, Errands& errands) {
    LeasedCounter& counter = place.counter;
    counter.Release(served.used);
    const bool is_back = counter.PutBack(served.used, now);
    if (!is_back && store_answers) {
      GiveBack(place, {served.used}, errands);
    } else if (!is_back) {
      lapsed_.Add(static_cast<double>(served.used.left));
    } else if (closed_ && store_answers) {
      GiveBack(place, counter.TakeAll(), errands);
    }
    remaining = counter.Tell(now).remaining;
  });
  return remaining;
}

void LeaseKeeper::Hear(const Charge& charge, const Served& served,
                       absl::Duration asked_at, Outcome& outcome) {
  const absl::Duration now = clock_.Elapsed();
  Change(served.counter, [&](LeaseTable::Place& place, Errands& errands) {
    if (!MayLease(place, charge, errands)) return;
    place.counter.Learn(outcome, charge.cost - served.used.left, asked_at);
    if (outcome.allowed) outcome.remaining += place.counter.Held(now);
    LeaseIfDue(place, charge, now, errands);
  });
}

// Not of a counter whose limit has changed until nothing is left of the leases
// that were taken under the old one.
bool LeaseKeeper::MayLease(LeaseTable::Place& place, const Charge& charge,
                           Errands& errands) {
  const Amounts amounts(*charge.policy);
  if (place.amounts == amounts) return true;
  GiveBack(place, place.counter.TakeAll(), errands);
  if (place.busy()) return false;
  place.amounts = amounts;
  place.key.reset();
  place.counter = LeasedCounter();
  return true;
}

void LeaseKeeper::LeaseIfDue(LeaseTable::Place& place, const Charge& charge,
                             absl::Duration now, Errands& errands) {
  if (closed_) return;
  const int64_t units = place.counter.Wish(*charge.policy, *charge.lease, now);
  if (units == 0) return;
  if (place.key == nullptr) {
    place.key = std::make_unique<const LeasedKey>(charge);
  }
  place.counter.StartLease();
  auto errand = std::make_unique<Errand>();
  errand->counter = place.hash;
  errand->asked_at = now;
  errand->terms = *charge.lease;
  errand->charge = {.policy = &place.key->policy(),
                    .key = place.key->key(),
                    .cost = units,
                    .refundable = true};
  AddErrand(place, std::move(errand), errands);
}

}  // namespace rls
