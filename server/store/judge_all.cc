#include "store/judge_all.h"

namespace rls {
namespace {

// Made whatever the other charges get: it tells of what has already happened.
bool Unconditional(const Charge& charge) {
  return charge.kind == ChargeKind::kReport ||
         (charge.cost < 0 && !OnlyLooks(charge.kind));
}

void JudgeOne(const Charge& charge, CounterState& state, absl::Time now,
              Outcome& outcome) {
  const Judgement judgement = Judge(*charge.policy, state, charge.kind,
                                    charge.cost, now, charge.booking);
  outcome = judgement.outcome;
  state = judgement.after;
}

// As envoyproxy/ratelimit does: what a fixed window refuses stays counted.
void CountRefused(const Charge& charge, CounterState& state, absl::Time now,
                  Outcome& outcome) {
  if (outcome.allowed || OnlyLooks(charge.kind) ||
      charge.policy->algorithm != Algorithm::kFixedWindow ||
      charge.policy->queue) {
    return;
  }
  const Judgement judgement =
      Judge(*charge.policy, state, ChargeKind::kReport, charge.cost, now);
  state = judgement.after;
  outcome.remaining = judgement.outcome.remaining;
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
  // Refused alone: Judge has left its state as it was.
  if (take.charges.size() == 1 && !take.denied) return;

  // Denied: start over, with only what is made in any case. The others keep
  // their verdict and learn what is left without them.
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
