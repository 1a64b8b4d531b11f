#ifndef RLS_TESTS_UNIT_STORE_COUNTER_STORE_DICE_H_
#define RLS_TESTS_UNIT_STORE_COUNTER_STORE_DICE_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "unit/store/counter_store_suite.h"

namespace rls {

// The ingredients of the random histories of a test.
struct Habits {
  bool calendar = false;  // calendar windows; else windows in seconds
  bool huge = false;      // limits and costs up to kMaxAmount
  bool lone = false;      // one charge in each take
  bool plain = false;     // mostly common charges of windows without a bank
  bool queue = false;     // limits that queue, charges that wait
  bool returns = false;   // refunds of the slot of an outcome
  bool usage = false;     // probes, and single windows among the limits
  // No reload gives a counter a bank or takes it away.
  bool steady_banks = false;
};

// One random history: takes of a few counters, and the time between them. The
// limits and bursts change on the way, like after reloads.
class StoreDice {
 public:
  StoreDice(unsigned seed, const Habits& habits);

  // When the history begins: a little before a clock is changed.
  absl::Time Start();

  // The charges of the next take. Charges of one key have the same burst; their
  // limits may differ.
  std::vector<TestCharge> Charges();
  Accounting AnyAccounting();

  // The time until the next take, in whole microseconds, the resolution of
  // Redis' clock. `last` are the outcomes of the last take. Often the result is
  // a time at which one of these outcomes announces a change.
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
  void NoteSlots(const std::vector<Outcome>& outcomes);

  std::mt19937_64 engine_;
  const Habits habits_;
  const std::string prefix_;      // of the keys: keeps histories apart
  std::vector<Policy> policies_;  // by key
  std::vector<TestCharge> last_;  // charges
  std::map<std::string, absl::Time> slots_;  // the last one booked, by key
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_COUNTER_STORE_DICE_H_
