#include "unit/counter_store_suite.h"

#include <latch>

namespace rls {

absl::StatusOr<std::vector<Outcome>> TakeAndWait(
    CounterStore& store, const std::vector<TestCharge>& charges,
    Accounting accounting, absl::Time deadline) {
  std::vector<absl::string_view> parts;
  for (const TestCharge& charge : charges) parts.push_back(charge.key);
  std::vector<Charge> taken;
  for (size_t i = 0; i < charges.size(); ++i) {
    taken.push_back({.policy = &charges[i].policy,
                     .key = {.scope = "suite", .parts = {&parts[i], 1}},
                     .cost = charges[i].cost,
                     .kind = charges[i].kind});
  }
  absl::StatusOr<std::vector<Outcome>> result;
  std::latch done(1);
  store.Take(taken, accounting, deadline,
             [&](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
               if (outcomes.ok()) {
                 result.emplace(outcomes->begin(), outcomes->end());
               } else {
                 result = outcomes.status();
               }
               done.count_down();
             });
  done.wait();
  return result;
}

}  // namespace rls
