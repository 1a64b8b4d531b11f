#include "store/lease/lease_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "store/lease/lease_keeper.h"

namespace rls {
namespace {

bool IsLeased(const Charge& charge) {
  return charge.lease != nullptr && charge.cost > 0 &&
         (charge.kind == ChargeKind::kEnforce ||
          charge.kind == ChargeKind::kObserve) &&
         CanLease(*charge.policy);
}

using ServedCharges = absl::InlinedVector<LeaseKeeper::Served, 2>;

// One Take with charges that need the shared store.
struct PartlyServed {
  absl::Span<const Charge> charges;
  Accounting accounting = Accounting::kAllOrNothing;
  CounterStore::TakeCallback done;
  absl::Duration sent_at;
  ServedCharges served;  // by charge
  // The charges for the shared store, reduced to the units that leases did not
  // serve; and the index of each in `charges`.
  absl::InlinedVector<Charge, 2> rest;
  absl::InlinedVector<size_t, 2> rest_of;
};

class LeaseStoreImpl final : public LeaseStore {
 public:
  LeaseStoreImpl(CounterStore& store, EventLoop& loop, const Clock& clock,
                 Metrics& metrics)
      : store_(store), clock_(clock), keeper_(store, loop, clock, metrics) {}

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    if (std::none_of(charges.begin(), charges.end(), IsLeased)) {
      store_.Take(charges, accounting, deadline, std::move(done));
      return;
    }
    if (clock_.Now() >= deadline) {
      done(absl::DeadlineExceededError("the deadline has passed"));
      return;
    }
    const bool is_only = charges.size() == 1;
    ServedCharges served;
    for (const Charge& charge : charges) {
      served.push_back(IsLeased(charge)
                           ? keeper_.Serve(charge, is_only, accounting)
                           : LeaseKeeper::Served());
    }
    if (std::all_of(served.begin(), served.end(),
                    [](const auto& one) { return one.outcome.has_value(); })) {
      for (const LeaseKeeper::Served& one : served) {
        if (!is_only) keeper_.Release(one);
      }
      AnswerFrom(served, done);
      return;
    }
    auto take = std::make_unique<PartlyServed>();
    take->charges = charges;
    take->accounting = accounting;
    take->done = std::move(done);
    take->served = std::move(served);
    TakeRest(std::move(take), deadline);
  }

  void ReturnAll(absl::AnyInvocable<void()> done) override {
    keeper_.ReturnAll(std::move(done));
  }

 private:
  static void AnswerFrom(const ServedCharges& served, TakeCallback& done) {
    absl::InlinedVector<Outcome, 2> outcomes;
    for (const LeaseKeeper::Served& one : served) {
      outcomes.push_back(*one.outcome);
    }
    done(absl::MakeConstSpan(outcomes));
  }

  void TakeRest(std::unique_ptr<PartlyServed> take, absl::Time deadline) {
    for (size_t i = 0; i < take->charges.size(); ++i) {
      if (take->served[i].outcome.has_value()) continue;
      Charge& rest = take->rest.emplace_back(take->charges[i]);
      take->rest_of.push_back(i);
      rest.cost -= take->served[i].used.left;
      // Any replica may give units of a leased counter back.
      rest.refundable |= IsLeased(rest);
    }
    take->sent_at = clock_.Elapsed();
    const PartlyServed& sent = *take;
    store_.Take(sent.rest, sent.accounting, deadline,
                [this, take = std::move(take)](
                    absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                  OnTaken(*take, std::move(outcomes));
                });
  }

  void OnTaken(PartlyServed& take,
               absl::StatusOr<absl::Span<const Outcome>> rest) {
    if (!rest.ok()) {
      for (const LeaseKeeper::Served& served : take.served) {
        if (served.used.left == 0) continue;
        keeper_.PutBack(served, /*store_answers=*/false);
      }
      take.done(std::move(rest));
      return;
    }
    bool denied = false;
    absl::InlinedVector<Outcome, 2> outcomes(take.charges.size());
    for (size_t n = 0; n < take.rest.size(); ++n) {
      const Charge& charge = take.rest[n];
      const size_t i = take.rest_of[n];
      outcomes[i] = (*rest)[n];
      denied |= !outcomes[i].allowed && Denies(charge.kind);
    }
    denied &= take.accounting == Accounting::kAllOrNothing;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      Conclude(take, i, denied, outcomes[i]);
    }
    take.done(absl::MakeConstSpan(outcomes));
  }

  // Puts leased units back if the charge is not made, and completes its
  // outcome.
  void Conclude(const PartlyServed& take, size_t i, bool denied,
                Outcome& outcome) {
    const LeaseKeeper::Served& served = take.served[i];
    const bool was_sent = !served.outcome.has_value();
    if (!was_sent) outcome = *served.outcome;
    // A lease has served a part of the charge.
    if (was_sent && !outcome.allowed) outcome.left_before += served.used.left;
    if (served.used.left > 0 && (denied || !outcome.allowed)) {
      const int64_t remaining = keeper_.PutBack(served, /*store_answers=*/true);
      if (!was_sent) outcome.remaining = remaining;
    } else if (served.used.left > 0) {
      keeper_.Release(served);
    }
    if (was_sent && IsLeased(take.charges[i])) {
      keeper_.OnAnswer(take.charges[i], served, take.sent_at, outcome);
    }
  }

  CounterStore& store_;
  const Clock& clock_;
  LeaseKeeper keeper_;
};

}  // namespace

std::unique_ptr<LeaseStore> NewLeaseStore(CounterStore& store, EventLoop& loop,
                                          const Clock& clock,
                                          Metrics& metrics) {
  return std::make_unique<LeaseStoreImpl>(store, loop, clock, metrics);
}

}  // namespace rls
