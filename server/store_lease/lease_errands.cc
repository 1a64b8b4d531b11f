// What a keeper asks of the store on its own: leases, and their return.

#include <utility>

#include "store_lease/lease_keeper.h"

namespace rls {

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

void LeaseKeeper::GiveBack(LeaseTable::Place& place,
                           const std::vector<Lease>& leases, Errands& errands) {
  if (leases.empty()) return;
  // Of a bucket some units may have dripped, and nobody knows which.
  const bool is_bucket =
      place.key->policy().algorithm == Algorithm::kTokenBucket;
  const absl::Duration now = clock_.Elapsed();
  for (const Lease& lease : leases) {
    if (is_bucket || (lease.ends_with_window && now >= lease.usable_until)) {
      lapsed_.Add(static_cast<double>(lease.left));
      continue;
    }
    auto errand = std::make_unique<Errand>();
    errand->counter = place.hash;
    errand->booking.slot = lease.slot;
    errand->charge = {.policy = &place.key->policy(),
                      .key = place.key->key(),
                      .cost = -lease.left,
                      .refundable = true,
                      .booking = &errand->booking};
    AddErrand(place, std::move(errand), errands);
  }
}

// Counted before the lock of the place is gone, so that ReturnAll(), which
// takes all of them, waits for it.
void LeaseKeeper::AddErrand(LeaseTable::Place& place,
                            std::unique_ptr<Errand> errand, Errands& errands) {
  ++place.errands;
  errands.push_back(std::move(errand));
  const MutexLock lock(&mutex_);
  ++errands_;
}

// Call it without any lock: the store may answer at once.
void LeaseKeeper::Send(Errands errands) {
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
  // Its errand has kept its place.
  Change(errand.counter, [&](LeaseTable::Place& place, Errands& errands) {
    --place.errands;
    if (errand.charge.cost < 0) {
      (outcomes.ok() ? returned_ : lapsed_)
          .Add(static_cast<double>(-errand.charge.cost));
      return;
    }
    OnLeased(errand, place.counter, outcomes);
    // A store that has failed, perhaps as it is about to go, is asked nothing.
    if (outcomes.ok() && closed_) {
      GiveBack(place, place.counter.TakeAll(), errands);
    } else if (outcomes.ok()) {
      GiveBack(place, place.counter.TakeEnded(clock_.Elapsed()), errands);
    }
  });
  EndErrands(1);
}

void LeaseKeeper::OnLeased(
    const Errand& errand, LeasedCounter& counter,
    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
  const int64_t units = errand.charge.cost;
  if (!outcomes.ok()) {
    // The store may have them. Another attempt would lose as many again, if it
    // is the answers that get lost.
    counter.LoseLease(clock_.Elapsed() + errand.terms.ttl);
    lapsed_.Add(static_cast<double>(units));
    return;
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
}

void LeaseKeeper::Change(
    const Hash128& counter,
    absl::FunctionRef<void(LeaseTable::Place&, Errands&)> change) {
  Errands errands;
  std::optional<absl::Duration> end;
  table_.WithKnown(counter, [&](LeaseTable::Place& place) {
    change(place, errands);
    end = place.AwaitNextEnd();
  });
  Send(std::move(errands));
  if (end.has_value()) ends_.Add(counter, *end);
}

void LeaseKeeper::EndLeases(const Hash128& counter) {
  Change(counter, [&](LeaseTable::Place& place, Errands& errands) {
    place.awaits_end = false;
    GiveBack(place, place.counter.TakeEnded(clock_.Elapsed()), errands);
  });
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
