#ifndef RLS_TESTS_UNIT_COUNTER_STORE_SUITE_H_
#define RLS_TESTS_UNIT_COUNTER_STORE_SUITE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fake_clock.h"
#include "store/counter_store.h"
#include "store_memory/memory_store.h"

namespace rls {

// A store to test: how to make it over a clock that the test turns.
struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<CounterStore>(const Clock&)> make;

  friend void PrintTo(const StoreKind& kind, std::ostream* out) {
    *out << kind.name;
  }
};

// Every store there is; all cases of the suite run with each.
inline std::vector<StoreKind> AllStores() {
  return {
      {"Memory", [](const Clock& clock) { return NewMemoryStore(clock, {}); }},
  };
}

inline std::string NameOf(const ::testing::TestParamInfo<StoreKind>& kind) {
  return kind.param.name;
}

// One charge as a test writes it; it owns what Charge only views.
struct TestCharge {
  std::string key = "a";
  Policy policy;
  int64_t cost = 1;
  ChargeKind kind = ChargeKind::kEnforce;
};

inline Policy PerMinute(int64_t limit) {
  return {.limit = limit, .window = absl::Minutes(1)};
}

// Takes the charges and waits for what the store says.
absl::StatusOr<std::vector<Outcome>> TakeAndWait(
    CounterStore& store, const std::vector<TestCharge>& charges,
    Accounting accounting, absl::Time deadline);

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

  FakeClock clock_;
  std::unique_ptr<CounterStore> store_ = GetParam().make(clock_);
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_COUNTER_STORE_SUITE_H_
