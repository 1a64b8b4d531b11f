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

LeaseKeeper::Served LeaseKeeper::Serve(const Charge& charge, bool may_refuse) {
  const absl::Duration now = clock_.Elapsed();
  Served served{.counter = HashKey(seed_, charge.key)};
  Errands errands;
  table_.With(served.counter, [&](LeaseTable::Place* place) {
    if (place == nullptr || !MayLease(*place, charge, errands)) return;
    LeasedCounter& counter = place->counter;
    counter.CountDemand(charge.cost, now, charge.lease->ttl);
    served.used = counter.Use(charge.cost, now);
    if (served.used.left == charge.cost) {
      served.outcome = counter.Tell(now);
      served_.Add(1);
      LeaseIfDue(*place, charge, now, errands);
    } else if (may_refuse && served.used.left == 0) {
      served.outcome = counter.KnownRefusal(charge.cost, now);
    }
  });
  Send(std::move(errands));
  return served;
}

int64_t LeaseKeeper::PutBack(const Served& served) {
  const absl::Duration now = clock_.Elapsed();
  int64_t remaining = 0;
  Errands errands;
  table_.WithKnown(served.counter, [&](LeaseTable::Place& place) {
    // Without a key it has begun anew, under another limit.
    if (place.key == nullptr) return;
    if (!place.counter.PutBack(served.used, now)) {
      GiveBack(place, {served.used}, errands);
    }
    remaining = place.counter.Tell(now).remaining;
  });
  Send(std::move(errands));
  return remaining;
}

void LeaseKeeper::Hear(const Charge& charge, const Served& served,
                       absl::Duration asked_at, Outcome& outcome) {
  const absl::Duration now = clock_.Elapsed();
  Errands errands;
  table_.WithKnown(served.counter, [&](LeaseTable::Place& place) {
    if (!MayLease(place, charge, errands)) return;
    place.counter.Learn(outcome, charge.cost - served.used.left, asked_at);
    if (outcome.allowed) outcome.remaining += place.counter.Held(now);
    LeaseIfDue(place, charge, now, errands);
  });
  Send(std::move(errands));
}

void LeaseKeeper::ReturnAll(absl::AnyInvocable<void()> done) {
  closed_ = true;
  Errands errands;
  {
    const MutexLock lock(&mutex_);
    on_idle_ = std::move(done);
    ++errands_;  // not before all are sent
  }
  table_.ForEachBusy([&](LeaseTable::Place& place) {
    GiveBack(place, place.counter.TakeAll(), errands);
  });
  Send(std::move(errands));
  EndErrands(1);
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
  ++place.errands;
  auto errand = std::make_unique<Errand>();
  errand->counter = place.hash;
  errand->asked_at = now;
  errand->terms = *charge.lease;
  errand->charge = {.policy = &place.key->policy(),
                    .key = place.key->key(),
                    .cost = units,
                    .refundable = true};
  errands.push_back(std::move(errand));
}

void LeaseKeeper::GiveBack(LeaseTable::Place& place,
                           const std::vector<Lease>& leases, Errands& errands) {
  for (const Lease& lease : leases) {
    if (lease.left == 0) continue;
    if (lease.ends_with_window && clock_.Elapsed() >= lease.usable_until) {
      lapsed_.Add(static_cast<double>(lease.left));
      continue;
    }
    ++place.errands;
    auto errand = std::make_unique<Errand>();
    errand->counter = place.hash;
    errand->booking.slot = lease.slot;
    errand->charge = {.policy = &place.key->policy(),
                      .key = place.key->key(),
                      .cost = -lease.left,
                      .refundable = true,
                      .booking = &errand->booking};
    errands.push_back(std::move(errand));
  }
}

// Call it without any lock: the store may answer at once.
void LeaseKeeper::Send(Errands errands) {
  if (errands.empty()) return;
  {
    const MutexLock lock(&mutex_);
    errands_ += static_cast<int>(errands.size());
  }
  for (std::unique_ptr<Errand>& errand : errands) {
    const Charge& charge = errand->charge;
    store_.Take({&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
                [this, errand = std::move(errand)](
                    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
                  OnTaken(*errand, outcomes);
                });
  }
}

void LeaseKeeper::OnTaken(
    const Errand& errand,
    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
  const absl::Duration now = clock_.Elapsed();
  Errands errands;
  std::optional<Lease> lease;
  // Its errand has kept its place.
  table_.WithKnown(errand.counter, [&](LeaseTable::Place& place) {
    --place.errands;
    if (errand.charge.cost < 0) {
      (outcomes.ok() ? returned_ : lapsed_)
          .Add(static_cast<double>(-errand.charge.cost));
      return;
    }
    lease = OnLeased(errand, place.counter, outcomes);
    GiveBack(place,
             closed_ ? place.counter.TakeAll() : place.counter.TakeEnded(now),
             errands);
  });
  Send(std::move(errands));
  if (lease.has_value()) ends_.Add(errand.counter, lease->usable_until);
  EndErrands(1);
}

std::optional<Lease> LeaseKeeper::OnLeased(
    const Errand& errand, LeasedCounter& counter,
    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
  const int64_t units = errand.charge.cost;
  if (!outcomes.ok()) {
    // The store may have them. Another attempt would lose as many again, if it
    // is the answers that get lost.
    counter.LoseLease(clock_.Elapsed() + errand.terms.ttl);
    lapsed_.Add(static_cast<double>(units));
    return std::nullopt;
  }
  Outcome outcome = (*outcomes)[0];
  std::optional<Lease> lease;
  if (outcome.allowed) {
    const absl::Duration usable =
        UsableFor(*errand.charge.policy, errand.terms, outcome);
    lease = {.left = units,
             .usable_until = errand.asked_at + usable,
             .ends_with_window = usable < errand.terms.ttl,
             .slot = outcome.slot};
    leased_.Add(static_cast<double>(units));
  }
  outcome.allowed = true;  // a refusal of so many says nothing of one
  counter.Learn(outcome, units, errand.asked_at);
  counter.EndLease(lease);
  return lease;
}

void LeaseKeeper::EndLeases(const Hash128& counter) {
  Errands errands;
  table_.WithKnown(counter, [&](LeaseTable::Place& place) {
    GiveBack(place, place.counter.TakeEnded(clock_.Elapsed()), errands);
  });
  Send(std::move(errands));
}

void LeaseKeeper::EndErrands(int ended) {
  absl::AnyInvocable<void()> on_idle;
  {
    const MutexLock lock(&mutex_);
    errands_ -= ended;
    if (errands_ > 0 || on_idle_ == nullptr) return;
    on_idle = std::exchange(on_idle_, nullptr);
  }
  on_idle();
}

}  // namespace rls
