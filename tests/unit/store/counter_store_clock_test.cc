// Every store when its clock is set.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

using CounterStoreClockTest = CounterStoreTest;

// The policies whose states tell the time in different ways.
std::vector<Policy> PoliciesOfAnHour() {
  Policy plain{.limit = 5, .window = absl::Hours(1)};
  std::vector<Policy> policies(6, plain);
  policies[1].burst = 2;
  policies[2].calendar = Calendar::kHour;
  policies[3].algorithm = Algorithm::kSlidingWindow;
  policies[4].algorithm = Algorithm::kTokenBucket;
  policies[4].burst = 4;
  policies[5].algorithm = Algorithm::kSingleWindow;
  return policies;
}

// After the step the counter may refuse for as long as a counter that was used
// up at that moment may, and no longer.
TEST_P(CounterStoreClockTest, AClockSetForwardAndBackCostsAtMostOneWindow) {
  int number = 0;
  for (const absl::Duration step :
       {absl::Minutes(61), absl::Hours(5), absl::Hours(24 * 400)}) {
    for (const bool starts_before : {true, false}) {
      for (const Policy& policy : PoliciesOfAnHour()) {
        SCOPED_TRACE(::testing::Message()
                     << step << ", " << AlgorithmWord(policy.algorithm)
                     << ", burst " << policy.burst);
        const TestCharge charge{.key = absl::StrCat("user", ++number),
                                .policy = policy};
        const absl::Duration longest =
            absl::Hours(policy.algorithm == Algorithm::kSlidingWindow ? 2 : 1);
        Pass(absl::Minutes(7));
        if (starts_before) TakeOne(charge);
        Pass(step);
        for (int i = 0; i < 9; ++i) TakeOne(charge);
        Pass(-step);
        EXPECT_FALSE(TakeOne(charge).allowed);
        absl::Duration waited;
        for (Outcome last = TakeOne(charge); !last.allowed;
             last = TakeOne(charge)) {
          ASSERT_LE(last.reset_after, longest);
          ASSERT_LE(last.retry_after, longest);
          ASSERT_GT(last.retry_after, absl::ZeroDuration());
          Pass(last.retry_after);
          waited += last.retry_after;
          ASSERT_LE(waited, longest);
        }
      }
    }
  }
}

TEST_P(CounterStoreClockTest, ASmallStepBackwardsFreesNothing) {
  int number = 0;
  for (const Policy& policy : PoliciesOfAnHour()) {
    const TestCharge charge{.key = absl::StrCat("user", ++number),
                            .policy = policy};
    // To the first millisecond of a window.
    Pass(absl::Ceil(clock_.Now() - absl::UnixEpoch(), absl::Hours(1)) -
         (clock_.Now() - absl::UnixEpoch()));
    for (int i = 0; i < 9; ++i) TakeOne(charge);
    Pass(-absl::Milliseconds(500));
    EXPECT_FALSE(TakeOne(charge).allowed);
    Pass(absl::Milliseconds(501));
    EXPECT_FALSE(TakeOne(charge).allowed);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, CounterStoreClockTest,
                         ::testing::ValuesIn(AllStores()), NameOf);

}  // namespace
}  // namespace rls
