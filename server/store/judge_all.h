#ifndef RLS_STORE_JUDGE_ALL_H_
#define RLS_STORE_JUDGE_ALL_H_

#include <cstddef>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limit/judge.h"

namespace rls {

// The state of one counter during a take; charges of the same counter share it.
struct JudgedCounter {
  CounterState before;
  CounterState after;  // equal to `before` at the beginning
};

// The charges of one take, and the counter of each.
struct TakeView {
  absl::Span<const Charge> charges;
  Accounting accounting = Accounting::kAllOrNothing;
  absl::Span<const size_t> counter_of;  // charges[i] -> counters[...]
  // With kAllOrNothing: another sub-take of the same request was refused. The
  // charges are not made, but their outcomes are computed.
  bool denied = false;
};

// Judges all charges on `counters` as CounterStore promises: decides which
// charges are made, and computes all outcomes. Pure. Every store returns
// exactly these outcomes.
void JudgeAll(const TakeView& take, absl::Time now,
              absl::Span<JudgedCounter> counters, absl::Span<Outcome> outcomes);

}  // namespace rls

#endif  // RLS_STORE_JUDGE_ALL_H_
