#ifndef RLS_TESTS_UNIT_COUNTER_STORE_SUITE_H_
#define RLS_TESTS_UNIT_COUNTER_STORE_SUITE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fake_clock.h"
#include "store/counter_store.h"

namespace rls {

// A store to test: how to make it over a clock that the test turns.
struct StoreKind {
  std::string name;
  absl::Duration tick;  // the finest difference of times that it can tell
  std::function<std::unique_ptr<CounterStore>(FakeClock&)> make;
  // Whether a Take of several counters is one step for others to see. If not,
  // others may be refused by what a Take gives back when it is denied. What is
  // given back leaves the counter its longer time to live, which tells whether
  // a bank that a reload brings finds something.
  bool atomic = true;
  bool in_process = false;  // a Take costs it next to nothing

  friend void PrintTo(const StoreKind& kind, std::ostream* out) {
    *out << kind.name;
  }
};

// Every store there is; all cases of the suite run with each.
std::vector<StoreKind> AllStores();

inline std::string NameOf(const ::testing::TestParamInfo<StoreKind>& kind) {
  return kind.param.name;
}

// One charge as a test writes it; it owns what Charge only views.
struct TestCharge {
  std::string key = "a";
  Policy policy;
  int64_t cost = 1;
  ChargeKind kind = ChargeKind::kEnforce;
  bool refundable = false;
  std::optional<Booking> booking;
};

std::ostream& operator<<(std::ostream& out, const TestCharge& charge);

inline Policy PerMinute(int64_t limit) {
  return {.limit = limit, .window = absl::Minutes(1)};
}

// Takes the charges and waits for what the store says.
absl::StatusOr<std::vector<Outcome>> TakeAndWait(
    CounterStore& store, const std::vector<TestCharge>& charges,
    Accounting accounting, absl::Time deadline);

// Hands all of these Takes to the store, from so many threads at once, before
// it waits for any; what each of them was told, in their order.
std::vector<absl::StatusOr<std::vector<Outcome>>> TakeAllAtOnce(
    CounterStore& store, const std::vector<std::vector<TestCharge>>& takes,
    Accounting accounting, size_t threads);

bool operator==(const Outcome& a, const Outcome& b);
std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

// The same cases for every store: a new one is one more line of AllStores().
class CounterStoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  std::vector<Outcome> Take(const std::vector<TestCharge>& charges,
                            Accounting accounting = Accounting::kAllOrNothing) {
    auto outcomes =
        TakeAndWait(*store_, charges, accounting, absl::InfiniteFuture());
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() ? *std::move(outcomes)
                         : std::vector<Outcome>(charges.size());
  }
  Outcome TakeOne(const TestCharge& charge) { return Take({charge})[0]; }
  void Pass(absl::Duration time) { clock_.Advance(time); }
  static absl::Duration Tick() { return GetParam().tick; }

  FakeClock clock_;
  std::unique_ptr<CounterStore> store_ = GetParam().make(clock_);
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_COUNTER_STORE_SUITE_H_
