#include "limit/lease.h"

#include <gtest/gtest.h>

#include "limit/judge.h"

namespace rls {
namespace {

const Policy kThousand{.limit = 1000, .window = absl::Minutes(1)};
const LeaseTerms kFivePercent;

int64_t Units(int64_t demand, int64_t held, int64_t remaining) {
  return UnitsToLease(
      kThousand, kFivePercent,
      {.demand = demand, .on_hand = held, .remaining = remaining});
}

TEST(LeaseTest, IsAsLargeAsTheDemandAndNeverMoreThanTheShare) {
  EXPECT_EQ(Units(10, 0, 1000), 10);
  EXPECT_EQ(Units(50, 0, 1000), 50);
  EXPECT_EQ(Units(700, 0, 1000), 50);
  EXPECT_EQ(Units(700, 12, 1000), 38);
}

TEST(LeaseTest, IsNotTakenWhileMuchIsOnHand) {
  EXPECT_EQ(Units(700, 13, 1000), 0);
  EXPECT_EQ(Units(20, 6, 1000), 0);
}

TEST(LeaseTest, ShrinksAsTheCounterNearsItsLimitUntilNoneIsLeft) {
  EXPECT_EQ(Units(700, 0, 100), 25);
  EXPECT_EQ(Units(700, 0, 16), 4);
  EXPECT_EQ(Units(700, 0, 15), 0);
  EXPECT_EQ(Units(700, 0, 0), 0);
}

TEST(LeaseTest, IsNotWorthwhileForFewUnits) {
  EXPECT_EQ(Units(3, 0, 1000), 0);
  EXPECT_EQ(UnitsToLease({.limit = 79}, kFivePercent,
                         {.demand = 79, .on_hand = 0, .remaining = 79}),
            0);
  EXPECT_EQ(UnitsToLease({.limit = 0}, kFivePercent,
                         {.demand = 79, .on_hand = 0, .remaining = 0}),
            0);
}

TEST(LeaseTest, OfTheLargestLimitIsAShareOfIt) {
  EXPECT_EQ(UnitsToLease(
                {.limit = kMaxAmount}, {.max_share_ppm = 500'000},
                {.demand = kMaxAmount, .on_hand = 0, .remaining = kMaxAmount}),
            kMaxAmount / 4);
}

TEST(LeaseTest, ReadsAsShareAndTtl) {
  EXPECT_EQ(LeaseText({}), "5% for 1s");
  EXPECT_EQ(LeaseText({.max_share_ppm = 1, .ttl = absl::Milliseconds(100)}),
            "0.0001% for 100ms");
}

TEST(LeaseTest, QueuesAndBanksAreNotServedFromIt) {
  EXPECT_TRUE(CanLease({}));
  EXPECT_FALSE(CanLease({.queue = true}));
  EXPECT_FALSE(CanLease({.burst = 1}));
  EXPECT_TRUE(CanLease({.burst_mode = BurstMode::kUpfront, .burst = 1}));
  EXPECT_TRUE(CanLease({.algorithm = Algorithm::kTokenBucket, .burst = 1}));
  EXPECT_FALSE(CanLease({.algorithm = Algorithm::kSingleWindow}));
}

// UsableFor() a charge of one unit, `end` before its window of a minute ends.
absl::Duration UsableBefore(absl::Duration end, Algorithm algorithm) {
  Policy policy = kThousand;
  policy.algorithm = algorithm;
  const absl::Time now = absl::FromUnixSeconds(1'700'002'800) - end;
  return UsableFor(policy, kFivePercent,
                   Judge(policy, {}, ChargeKind::kEnforce, 1, now).outcome);
}

TEST(LeaseTest, IsUsableForItsTtlAndNotBeyondItsWindow) {
  for (const Algorithm algorithm :
       {Algorithm::kFixedWindow, Algorithm::kSlidingWindow}) {
    EXPECT_EQ(UsableBefore(absl::Seconds(30), algorithm), absl::Seconds(1));
    EXPECT_EQ(UsableBefore(absl::Milliseconds(10), algorithm),
              absl::Milliseconds(10));
  }
  EXPECT_EQ(UsableBefore(absl::Milliseconds(10), Algorithm::kTokenBucket),
            absl::Seconds(1));
}

}  // namespace
}  // namespace rls
