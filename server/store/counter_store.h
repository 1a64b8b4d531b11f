#ifndef RLS_STORE_COUNTER_STORE_H_
#define RLS_STORE_COUNTER_STORE_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"

namespace rls {

// A CounterStore judges and charges counters, atomically for each take.
//
// Charges are judged in their order; two charges of one counter see each other.
// Charges of a kind that AlwaysCharges() and refunds (a negative cost) are made
// even if other charges are refused. A kPeek, a kProbe and a refused kObserve
// charge nothing.
//
// Threads: Take() may be called by many threads at once; `done` may run on any
// thread, even before Take() returns, and runs exactly once.
// Lifetime: everything `charges` points to must live until `done` has run. The
// span that `done` gets is valid only while it runs.
// Failure: UNAVAILABLE (the charges may or may not have been made),
// DEADLINE_EXCEEDED (the same), RESOURCE_EXHAUSTED (the store is full; nothing
// was charged). No other code.
class CounterStore {
 public:
  // One outcome per charge, in the same order.
  using TakeCallback =
      absl::AnyInvocable<void(absl::StatusOr<absl::Span<const Outcome>>)>;

  virtual ~CounterStore() = default;

  virtual void Take(absl::Span<const Charge> charges, Accounting accounting,
                    absl::Time deadline, TakeCallback done) = 0;
};

}  // namespace rls

#endif  // RLS_STORE_COUNTER_STORE_H_
