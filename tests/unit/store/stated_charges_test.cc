// Charges of a cost that the gateway states, for every store.

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

TEST_P(CounterStoreTest, AStatedChargeIsMadeAndRefusedOnceItIsPastTheLimit) {
  for (const Accounting accounting :
       {Accounting::kAllOrNothing, Accounting::kIndependent}) {
    for (const Policy& policy : EveryAlgorithm(10)) {
      const std::string key = absl::StrCat(policy.algorithm, " ", accounting);
      const auto take = [&](int64_t cost, ChargeKind kind) {
        return Take(
            {{.key = key, .policy = policy, .cost = cost, .kind = kind}},
            accounting)[0];
      };
      EXPECT_EQ(take(7, ChargeKind::kStated).remaining, 3) << key;
      EXPECT_EQ(take(3, ChargeKind::kStated).remaining, 0) << key;
      EXPECT_TRUE(take(0, ChargeKind::kPeek).allowed) << key;
      const Outcome over = take(7, ChargeKind::kStated);
      EXPECT_FALSE(over.allowed) << key;
      EXPECT_EQ(over.remaining, 0) << key;
      EXPECT_GT(over.retry_after, absl::ZeroDuration()) << key;
      EXPECT_FALSE(take(0, ChargeKind::kPeek).allowed) << key;
      // A refund brings the counter back to its limit, so 7 were charged.
      take(-7, ChargeKind::kReport);
      EXPECT_TRUE(take(0, ChargeKind::kPeek).allowed) << key;
      EXPECT_FALSE(take(1, ChargeKind::kEnforce).allowed) << key;
    }
  }
}

TEST_P(CounterStoreTest, ARefusedStatedChargeDeniesItsTakeUnlessItObserves) {
  const TestCharge other{.key = "other", .policy = PerMinute(9)};
  TestCharge stated{
      .policy = PerMinute(3), .cost = 4, .kind = ChargeKind::kStated};
  EXPECT_FALSE(Take({other, stated})[1].allowed);
  stated.key = "observed";
  stated.kind = ChargeKind::kStatedObserve;
  const auto observed = Take({other, stated});
  EXPECT_EQ(observed[0].remaining, 8);
  EXPECT_FALSE(observed[1].allowed);
}

TEST_P(CounterStoreTest, AStatedChargeIsMadeEvenIfOthersAreRefused) {
  TakeOne({.key = "full", .policy = PerMinute(1)});
  const TestCharge stated{
      .policy = PerMinute(9), .cost = 5, .kind = ChargeKind::kStated};
  const auto denied = Take({stated, {.key = "full", .policy = PerMinute(1)}});
  EXPECT_TRUE(denied[0].allowed);
  EXPECT_EQ(denied[0].remaining, 4);
  EXPECT_EQ(TakeOne({.policy = PerMinute(9)}).remaining, 3);
}

TEST_P(CounterStoreTest, AStatedChargeOfALimitOfZeroIsRefused) {
  for (const Policy& policy : EveryAlgorithm(0)) {
    const TestCharge stated{.key = absl::StrCat(policy.algorithm),
                            .policy = policy,
                            .kind = ChargeKind::kStated};
    EXPECT_FALSE(TakeOne(stated).allowed) << stated;
  }
}

}  // namespace
}  // namespace rls
