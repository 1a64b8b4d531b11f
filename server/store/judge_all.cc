#include "store/judge_all.h"

namespace rls {
namespace {

// Whether the charge is made even if others are refused: its units are used
// already, or given back.
bool Unconditional(const Charge& charge) {
  return AlwaysCharges(charge.kind) ||
         (charge.cost < 0 && !OnlyLooks(charge.kind));
}

void JudgeOne(const Charge& charge, CounterState& state, absl::Time now,
              Outcome& outcome) {
  const Transition transition = Judge(*charge.policy, state, charge.kind,
                                      charge.cost, now, charge.booking);
  outcome = transition.outcome;
  state = transition.after;
  if (!outcome.allowed && !AlwaysCharges(charge.kind)) {
    outcome.left_before = outcome.remaining;
  }
}

// Like envoyproxy/ratelimit: a fixed window counts refused charges too.
void CountRefused(const Charge& charge, CounterState& state, absl::Time now,
                  Outcome& outcome) {
  if (outcome.allowed || OnlyLooks(charge.kind) || Unconditional(charge) ||
      charge.policy->algorithm != Algorithm::kFixedWindow ||
      charge.policy->queue) {
    return;
  }
  const Transition transition =
      Judge(*charge.policy, state, ChargeKind::kReport, charge.cost, now);
  state = transition.after;
  outcome.remaining = transition.outcome.remaining;
}

}  // namespace

void JudgeAll(const TakeView& take, absl::Time now,
              absl::Span<JudgedCounter> counters,
              absl::Span<Outcome> outcomes) {
  bool refused = take.denied;
  for (size_t i = 0; i < take.charges.size(); ++i) {
    const Charge& charge = take.charges[i];
    CounterState& state = counters[take.counter_of[i]].after;
    JudgeOne(charge, state, now, outcomes[i]);
    if (take.accounting == Accounting::kIndependent) {
      CountRefused(charge, state, now, outcomes[i]);
    }
    refused |= !outcomes[i].allowed && Denies(charge.kind);
  }
  if (!refused || take.accounting == Accounting::kIndependent) return;
  // A single refused charge: Judge() has not changed its state.
  if (take.charges.size() == 1 && !take.denied) return;

  // Denied: start again and make only the unconditional charges. The other
  // charges stay allowed or refused, but their outcomes show the counters
  // without them.
  for (JudgedCounter& counter : counters) counter.after = counter.before;
  for (size_t i = 0; i < take.charges.size(); ++i) {
    Charge charge = take.charges[i];
    CounterState& state = counters[take.counter_of[i]].after;
    if (Unconditional(charge)) {
      JudgeOne(charge, state, now, outcomes[i]);
    } else if (outcomes[i].allowed) {
      charge.kind = ChargeKind::kPeek;
      outcomes[i] = {};
      JudgeOne(charge, state, now, outcomes[i]);
      outcomes[i].allowed = true;
      outcomes[i].retry_after = absl::ZeroDuration();
    }
  }
}

}  // namespace rls
