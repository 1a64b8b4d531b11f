#ifndef RLS_STORE_JUDGE_ALL_H_
#define RLS_STORE_JUDGE_ALL_H_

#include <cstddef>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limit/judge.h"

namespace rls {

// One counter as a Take works on it; charges of the same counter share it.
struct JudgedCounter {
  CounterState before;
  CounterState after;  // equal to `before` when the judging begins
};

// The charges of one Take and where their counters are.
struct TakeView {
  absl::Span<const Charge> charges;
  Accounting accounting = Accounting::kAllOrNothing;
  absl::Span<const size_t> counter_of;  // charges[i] -> counters[...]
  // With kAllOrNothing: other charges of the same request, judged elsewhere,
  // have been refused. These are told what is left all the same.
  bool denied = false;
};

// Judges all charges on `counters`, as CounterStore promises: which of them are
// made, and what each is told. Pure; every store's outcomes are its.
void JudgeAll(const TakeView& take, absl::Time now,
              absl::Span<JudgedCounter> counters, absl::Span<Outcome> outcomes);

}  // namespace rls

#endif  // RLS_STORE_JUDGE_ALL_H_
