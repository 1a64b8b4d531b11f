#ifndef RLS_STORE_MEMORY_WORKING_SET_H_
#define RLS_STORE_MEMORY_WORKING_SET_H_

#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limit/judge.h"
#include "limit/key_hash.h"
#include "store_memory/counter_table.h"

namespace rls {

// One counter as a Take works on it; charges of the same counter share it.
struct Working {
  Hash128 key;
  const Policy* policy = nullptr;
  CounterTable::Counter* held = nullptr;  // in its table; null when it is not
  CounterState before;
  CounterState state;
};

// What one Take works on before it is written back.
struct WorkingSet {
  absl::InlinedVector<Working, 4> counters;
  absl::InlinedVector<size_t, 4> counter_of;  // charges[i] -> counters[...]
  absl::InlinedVector<Outcome, 4> outcomes;
};

// Judges all charges on the working states, as CounterStore promises: which of
// them are made, and what each is told.
void JudgeAll(absl::Span<const Charge> charges, Accounting accounting,
              absl::Time now, WorkingSet& set);

}  // namespace rls

#endif  // RLS_STORE_MEMORY_WORKING_SET_H_
