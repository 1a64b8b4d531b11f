#ifndef RLS_STORE_MEMORY_WORKING_SET_H_
#define RLS_STORE_MEMORY_WORKING_SET_H_

#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "limit/charge.h"
#include "limit/key_hash.h"
#include "store/judge_all.h"
#include "store_memory/counter_table.h"

namespace rls {

// One counter as a Take works on it; charges of the same counter share it.
struct Working {
  Hash128 key;
  const Policy* policy = nullptr;
  CounterTable::Counter* held = nullptr;  // in its table; null when it is not
};

// What one Take works on before it is written back.
struct WorkingSet {
  // More charges than that are seldom, and cost allocations.
  static constexpr size_t kUsual = 8;

  absl::InlinedVector<Working, kUsual> counters;
  absl::InlinedVector<JudgedCounter, kUsual> judged;  // of counters[i]
  // charges[i] -> counters[...]
  absl::InlinedVector<size_t, kUsual> counter_of;
  absl::InlinedVector<Outcome, kUsual> outcomes;
};

}  // namespace rls

#endif  // RLS_STORE_MEMORY_WORKING_SET_H_
