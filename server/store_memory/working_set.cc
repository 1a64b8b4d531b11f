#include "store_memory/working_set.h"

namespace rls {
namespace {

// Made whatever the other charges get: it tells of what has already happened.
bool Unconditional(const Charge& charge) {
  return charge.kind == ChargeKind::kReport ||
         (charge.cost < 0 && charge.kind != ChargeKind::kPeek);
}

void JudgeOne(const Charge& charge, CounterState& state, absl::Time now,
              Outcome& outcome) {
  const Judgement judgement =
      Judge(*charge.policy, state, charge.kind, charge.cost, now);
  outcome = judgement.outcome;
  state = judgement.after;
}

// As envoyproxy/ratelimit does: what a fixed window refuses stays counted.
void CountRefused(const Charge& charge, CounterState& state, absl::Time now,
                  Outcome& outcome) {
  if (outcome.allowed || charge.kind == ChargeKind::kPeek ||
      charge.policy->algorithm != Algorithm::kFixedWindow) {
    return;
  }
  const Judgement judgement =
      Judge(*charge.policy, state, ChargeKind::kReport, charge.cost, now);
  state = judgement.after;
  outcome.remaining = judgement.outcome.remaining;
}

}  // namespace

void JudgeAll(absl::Span<const Charge> charges, Accounting accounting,
              absl::Time now, WorkingSet& set) {
  bool refused = false;
  for (size_t i = 0; i < charges.size(); ++i) {
    CounterState& state = set.counters[set.counter_of[i]].state;
    JudgeOne(charges[i], state, now, set.outcomes[i]);
    if (accounting == Accounting::kIndependent) {
      CountRefused(charges[i], state, now, set.outcomes[i]);
    }
    refused |=
        !set.outcomes[i].allowed && charges[i].kind == ChargeKind::kEnforce;
  }
  if (!refused || accounting == Accounting::kIndependent) return;
  if (charges.size() == 1) return;  // Judge has left its state as it was.

  // Denied: start over, with only what is made in any case. The others keep
  // their verdict and learn what is left without them.
  for (Working& counter : set.counters) counter.state = counter.before;
  for (size_t i = 0; i < charges.size(); ++i) {
    Charge charge = charges[i];
    CounterState& state = set.counters[set.counter_of[i]].state;
    if (Unconditional(charge)) {
      JudgeOne(charge, state, now, set.outcomes[i]);
    } else if (set.outcomes[i].allowed) {
      charge.kind = ChargeKind::kPeek;
      JudgeOne(charge, state, now, set.outcomes[i]);
      set.outcomes[i].allowed = true;
      set.outcomes[i].retry_after = absl::ZeroDuration();
    }
  }
}

}  // namespace rls
