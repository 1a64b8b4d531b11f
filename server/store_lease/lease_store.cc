#include "store_lease/lease_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "store_lease/lease_keeper.h"

namespace rls {
namespace {

bool IsLeased(const Charge& charge) {
  return charge.lease != nullptr && charge.cost > 0 &&
         (charge.kind == ChargeKind::kEnforce ||
          charge.kind == ChargeKind::kObserve) &&
         CanLease(*charge.policy);
}

using ServedCharges = absl::InlinedVector<LeaseKeeper::Served, 2>;

// One Take, some of whose charges the other store must be asked for.
struct PartlyServed {
  absl::Span<const Charge> charges;
  Accounting accounting = Accounting::kAllOrNothing;
  CounterStore::TakeCallback done;
  absl::Duration asked_at;
  ServedCharges served;  // by charge
  // What is left to ask, and of which of `charges`.
  absl::InlinedVector<Charge, 2> asked;
  absl::InlinedVector<size_t, 2> asked_of;
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
    Ask(std::move(take), deadline);
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

  void Ask(std::unique_ptr<PartlyServed> take, absl::Time deadline) {
    for (size_t i = 0; i < take->charges.size(); ++i) {
      if (take->served[i].outcome.has_value()) continue;
      Charge& rest = take->asked.emplace_back(take->charges[i]);
      take->asked_of.push_back(i);
      rest.cost -= take->served[i].used.left;
      // Units of it are given back, by any replica.
      rest.refundable |= IsLeased(rest);
    }
    take->asked_at = clock_.Elapsed();
    const PartlyServed& asked = *take;
    store_.Take(asked.asked, asked.accounting, deadline,
                [this, take = std::move(take)](
                    absl::StatusOr<absl::Span<const Outcome>> told) {
                  Answer(*take, std::move(told));
                });
  }

  void Answer(PartlyServed& take,
              absl::StatusOr<absl::Span<const Outcome>> told) {
    if (!told.ok()) {
      for (const LeaseKeeper::Served& served : take.served) {
        if (served.used.left == 0) continue;
        keeper_.PutBack(served, /*store_answers=*/false);
      }
      take.done(std::move(told));
      return;
    }
    bool denied = false;
    absl::InlinedVector<Outcome, 2> outcomes(take.charges.size());
    for (size_t n = 0; n < take.asked.size(); ++n) {
      const Charge& charge = take.asked[n];
      const size_t i = take.asked_of[n];
      outcomes[i] = (*told)[n];
      denied |= !outcomes[i].allowed && Denies(charge.kind);
    }
    denied &= take.accounting == Accounting::kAllOrNothing;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      Conclude(take, i, denied, outcomes[i]);
    }
    take.done(absl::MakeConstSpan(outcomes));
  }

  // Gives back what was used for a charge that is not made, and completes what
  // it is told.
  void Conclude(const PartlyServed& take, size_t i, bool denied,
                Outcome& outcome) {
    const LeaseKeeper::Served& served = take.served[i];
    const bool was_asked = !served.outcome.has_value();
    if (!was_asked) outcome = *served.outcome;
    if (served.used.left > 0 && (denied || !outcome.allowed)) {
      const int64_t remaining = keeper_.PutBack(served, /*store_answers=*/true);
      if (!was_asked) outcome.remaining = remaining;
    } else if (served.used.left > 0) {
      keeper_.Release(served);
    }
    if (was_asked && IsLeased(take.charges[i])) {
      keeper_.Hear(take.charges[i], served, take.asked_at, outcome);
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
