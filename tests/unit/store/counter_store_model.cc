#include "unit/store/counter_store_model.h"

namespace rls {
namespace {

const Booking* BookingOf(const TestCharge& charge) {
  return charge.booking.has_value() ? &*charge.booking : nullptr;
}

}  // namespace

std::vector<Outcome> CounterStoreModel::Take(
    const std::vector<TestCharge>& charges, Accounting accounting,
    absl::Time now) {
  std::erase_if(states_, [&](const auto& counter) {
    return expiries_[counter.first] <= now;
  });
  // The first charge of a counter that is of the future heals it.
  for (const TestCharge& charge : charges) {
    const auto state = states_.find(charge.key);
    if (state == states_.end()) continue;
    const CounterState healed = Healed(charge.policy, state->second, now);
    if (healed == state->second) continue;
    state->second = healed;
    expiries_[charge.key] = Expiry(charge.policy, healed);
  }
  const States before = states_;
  std::vector<Outcome> outcomes = Apply(states_, charges, accounting, now);
  bool denied = false;
  for (size_t i = 0; i < charges.size(); ++i) {
    denied |= Denies(charges[i].kind) && !outcomes[i].allowed;
  }
  if (denied && accounting == Accounting::kAllOrNothing) {
    states_ = before;
    ApplyDenied(states_, charges, outcomes, now);
  }
  for (const TestCharge& charge : charges) {
    const CounterState& after = states_[charge.key];
    const auto was = before.find(charge.key);
    if (after == (was == before.end() ? CounterState{} : was->second)) continue;
    expiries_[charge.key] = Expiry(charge.policy, after);
  }
  return outcomes;
}

std::vector<Outcome> CounterStoreModel::Apply(
    States& states, const std::vector<TestCharge>& charges,
    Accounting accounting, absl::Time now) {
  std::vector<Outcome> outcomes;
  for (const TestCharge& charge : charges) {
    CounterState& state = states[charge.key];
    Transition judged = Judge(charge.policy, state, charge.kind, charge.cost,
                              now, BookingOf(charge));
    if (!judged.outcome.allowed && accounting == Accounting::kIndependent &&
        !OnlyLooks(charge.kind) && !AlwaysCharges(charge.kind) &&
        charge.policy.algorithm == Algorithm::kFixedWindow &&
        !charge.policy.queue) {
      const auto counted =
          Judge(charge.policy, state, ChargeKind::kReport, charge.cost, now);
      judged.after = counted.after;
      judged.outcome.remaining = counted.outcome.remaining;
    }
    state = judged.after;
    outcomes.push_back(judged.outcome);
  }
  return outcomes;
}

// Makes the unconditional charges only. The other charges stay allowed or
// refused, and their outcomes show the counters without them.
void CounterStoreModel::ApplyDenied(States& states,
                                    const std::vector<TestCharge>& charges,
                                    std::vector<Outcome>& outcomes,
                                    absl::Time now) {
  for (size_t i = 0; i < charges.size(); ++i) {
    const bool always = AlwaysCharges(charges[i].kind) ||
                        (charges[i].cost < 0 && !OnlyLooks(charges[i].kind));
    if (!always && !outcomes[i].allowed) continue;
    CounterState& state = states[charges[i].key];
    const auto judged = Judge(charges[i].policy, state,
                              always ? charges[i].kind : ChargeKind::kPeek,
                              charges[i].cost, now, BookingOf(charges[i]));
    outcomes[i] = judged.outcome;
    if (always) {
      state = judged.after;
      continue;
    }
    outcomes[i].allowed = true;
    outcomes[i].retry_after = absl::ZeroDuration();
  }
}

}  // namespace rls
