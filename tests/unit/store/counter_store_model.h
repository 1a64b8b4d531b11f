#ifndef RLS_TESTS_UNIT_STORE_COUNTER_STORE_MODEL_H_
#define RLS_TESTS_UNIT_STORE_COUNTER_STORE_MODEL_H_

#include <map>
#include <string>
#include <vector>

#include "limit/judge.h"
#include "unit/store/counter_store_suite.h"

namespace rls {

// The model that every store must be equal to: a map of states, and the
// arithmetic of `limit`, one take after the other. A counter is forgotten at
// its expiry, which the last take that changes it sets.
class CounterStoreModel {
 public:
  std::vector<Outcome> Take(const std::vector<TestCharge>& charges,
                            Accounting accounting, absl::Time now);

 private:
  using States = std::map<std::string, CounterState>;

  static std::vector<Outcome> Apply(States& states,
                                    const std::vector<TestCharge>& charges,
                                    Accounting accounting, absl::Time now);
  static void ApplyDenied(States& states,
                          const std::vector<TestCharge>& charges,
                          std::vector<Outcome>& outcomes, absl::Time now);

  States states_;
  std::map<std::string, absl::Time> expiries_;  // of charged counters
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_COUNTER_STORE_MODEL_H_
