#ifndef RLS_TESTS_UNIT_STORE_COUNTER_STORE_SUITE_H_
#define RLS_TESTS_UNIT_STORE_COUNTER_STORE_SUITE_H_

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

// A store to test, and how to make one with a clock that the test controls.
struct StoreKind {
  std::string name;
  absl::Duration tick;  // the resolution of its times
  std::function<std::unique_ptr<CounterStore>(FakeClock&)> make;
  // Whether a take of several counters is one step for other takes. If not, a
  // take may be refused because of units that another take, which is denied,
  // gives back. The counter keeps its longer time to live then; a reload that
  // adds a bank makes that visible.
  bool atomic = true;
  bool in_process = false;  // its takes are cheap

  friend void PrintTo(const StoreKind& kind, std::ostream* out) {
    *out << kind.name;
  }
};

// All stores. Every case of the suite runs with each of them.
std::vector<StoreKind> AllStores();

inline std::string NameOf(const ::testing::TestParamInfo<StoreKind>& kind) {
  return kind.param.name;
}

// One charge of a test. It owns the texts that Charge only views.
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

// A policy of each algorithm for clients, with room for `limit` units an hour.
inline std::vector<Policy> EveryAlgorithm(int64_t limit) {
  std::vector<Policy> policies(3, {.limit = limit, .window = absl::Hours(1)});
  policies[1].algorithm = Algorithm::kSlidingWindow;
  policies[2].algorithm = Algorithm::kTokenBucket;
  policies[2].burst = std::max<int64_t>(0, limit - 1);
  return policies;
}

// Takes the charges and waits for their outcomes.
absl::StatusOr<std::vector<Outcome>> TakeAndWait(
    CounterStore& store, const std::vector<TestCharge>& charges,
    Accounting accounting, absl::Time deadline);

// Starts all takes from `threads` threads, before it waits for any of them.
// Returns the outcomes of each take, in the order of `takes`.
std::vector<absl::StatusOr<std::vector<Outcome>>> TakeAllAtOnce(
    CounterStore& store, const std::vector<std::vector<TestCharge>>& takes,
    Accounting accounting, size_t threads);

bool operator==(const Outcome& a, const Outcome& b);
std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

// The same cases for every store. A new store is one more line of AllStores().
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

#endif  // RLS_TESTS_UNIT_STORE_COUNTER_STORE_SUITE_H_
