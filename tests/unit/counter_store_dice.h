#ifndef RLS_TESTS_UNIT_COUNTER_STORE_DICE_H_
#define RLS_TESTS_UNIT_COUNTER_STORE_DICE_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "unit/counter_store_suite.h"

namespace rls {

// What the random histories of a test are made of.
struct Habits {
  bool calendar = false;  // windows of a calendar; else of seconds
  bool huge = false;      // limits and costs up to kMaxAmount
  bool lone = false;      // one charge in each Take
  bool plain = false;     // mostly common charges of windows without a bank
  bool queue = false;     // limits that queue, charges that wait
  bool returns = false;   // refunds of what an outcome named
  bool usage = false;     // probes, and single windows among the limits
  // No reload gives a counter a bank or takes it away.
  bool steady_banks = false;
};

// One random history: charges of a few counters, whose limits and bursts change
// on the way as by reloads, and the time that passes between the Takes.
class StoreDice {
 public:
  StoreDice(unsigned seed, const Habits& habits);

  // When the history begins: a little before a clock is changed.
  absl::Time Start();

  // The charges of the next Take. The burst of a key is the same for all of
  // them; its limit may differ.
  std::vector<TestCharge> Charges();
  Accounting AnyAccounting();

  // Until the next Take; `last` is what the last one was told. Often it is
  // the time at which that says that something changes. Whole microseconds, as
  // finely as Redis tells the time.
  absl::Duration Pause(const std::vector<Outcome>& last);

 private:
  int64_t Below(int64_t bound);
  bool OneIn(int64_t n) { return Below(n) == 0; }
  Policy Shape(size_t key) const;
  void Draw(Policy& policy);
  void Reload(Policy& policy);
  int64_t Amount(int64_t small);
  TestCharge Charge();
  void AddBooking(TestCharge& charge);
  void NoteSlots(const std::vector<Outcome>& told);

  std::mt19937_64 engine_;
  const Habits habits_;
  const std::string prefix_;      // of the keys: histories do not meet
  std::vector<Policy> policies_;  // by key
  std::vector<TestCharge> last_;  // charges
  std::map<std::string, absl::Time> slots_;  // the last one booked, by key
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_COUNTER_STORE_DICE_H_
