#ifndef RLS_TESTS_FUZZ_ANY_CHARGES_H_
#define RLS_TESTS_FUZZ_ANY_CHARGES_H_

#include <array>
#include <map>
#include <string>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "unit/store/counter_store_suite.h"

namespace rls {

// Makes takes of a few counters from an input. Each counter keeps its algorithm
// and its window; its limit changes, as in a reload.
class AnyCharges {
 public:
  AnyCharges();

  std::vector<TestCharge> Next(FuzzInput& input);
  // Later refunds may give back the slots of these outcomes.
  void NoteSlots(const std::vector<TestCharge>& charges,
                 absl::Span<const Outcome> outcomes);

  static Accounting AnyAccounting(FuzzInput& input);

 private:
  TestCharge One(FuzzInput& input);
  void AddBooking(FuzzInput& input, TestCharge& charge);

  std::vector<Policy> policies_;
  std::map<std::string, absl::Time> slots_;
};

}  // namespace rls

#endif  // RLS_TESTS_FUZZ_ANY_CHARGES_H_
