#include "store_lease/lease_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/lease_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

class LeaseStoreTest : public ::testing::Test {
 protected:
  // What the shared store has left, which asks it nothing of leases.
  int64_t LeftInStore(const LeaseCharge& like = {}) {
    LeaseCharge look = like;
    look.kind = ChargeKind::kPeek;
    look.lease.reset();
    LeaseAsk ask({look});
    ask.Take(*shared_);
    return ask.outcome().remaining;
  }

  void Pass(absl::Duration time) {
    clock_.Advance(time);
    one_.FireTimers();
    two_.FireTimers();
  }

  // So many in a row, all of them allowed: makes a counter hot.
  void Warm(LeasingReplica& replica, int takes,
            const LeaseCharge& charge = {}) {
    for (int i = 0; i < takes; ++i) {
      ASSERT_TRUE(replica.TakeOne(charge).allowed) << i;
    }
  }

  FakeClock clock_;
  const std::unique_ptr<CounterStore> shared_ = NewMemoryStore(clock_, {});
  LeasingReplica one_{clock_, *shared_};
  LeasingReplica two_{clock_, *shared_};
};

TEST_F(LeaseStoreTest, ARareCounterIsAskedOfTheStoreEachTime) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(one_.TakeOne().remaining, 999 - i);
    Pass(absl::Seconds(3));
  }
  EXPECT_EQ(one_.far().takes(), 10);
}

TEST_F(LeaseStoreTest, AHotCounterIsServedFromWhatWasLeased) {
  Warm(one_, 200);
  const int before = one_.far().takes();
  Warm(one_, 400);
  // A lease is 50 units, which are 5% of the limit.
  EXPECT_LE(one_.far().takes() - before, 400 / 37 + 1);
  EXPECT_THAT(one_.metrics(), HasSubstr("ratelimitd_lease_answers_total "));
}

TEST_F(LeaseStoreTest, OneReplicaAloneIsExact) {
  for (int i = 0; i < 1000; ++i) {
    const Outcome outcome = one_.TakeOne();
    ASSERT_TRUE(outcome.allowed) << i;
    ASSERT_EQ(outcome.remaining, 999 - i);
    ASSERT_EQ(outcome.reset_after, absl::Minutes(1));
  }
  const Outcome refused = one_.TakeOne();
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, absl::Minutes(1));
}

TEST_F(LeaseStoreTest, ACostIsTakenPartlyFromALeaseAndPartlyFromTheStore) {
  Warm(one_, 200);
  EXPECT_TRUE(one_.TakeOne({.cost = 790}).allowed);
  EXPECT_TRUE(one_.TakeOne({.cost = 10}).allowed);
  EXPECT_FALSE(one_.TakeOne().allowed);
}

TEST_F(LeaseStoreTest, ARefusedCostLeavesTheLeaseAsItWas) {
  Warm(one_, 200);
  EXPECT_FALSE(one_.TakeOne({.cost = 801}).allowed);
  EXPECT_EQ(one_.TakeOne().remaining, 799);
}

TEST_F(LeaseStoreTest, ReplicasTogetherNeverPassTheLimit) {
  int allowed = 0;
  for (int i = 0; i < 1500; ++i) {
    allowed += one_.TakeOne().allowed ? 1 : 0;
    allowed += two_.TakeOne().allowed ? 1 : 0;
    if (i % 100 == 0) Pass(absl::Milliseconds(200));
  }
  EXPECT_EQ(allowed, 1000);
}

TEST_F(LeaseStoreTest, UnusedUnitsGoBackAfterTheTtl) {
  Warm(one_, 100);
  EXPECT_LT(LeftInStore(), 900);
  Pass(absl::Milliseconds(999));
  EXPECT_LT(LeftInStore(), 900);
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(LeftInStore(), 900);
  EXPECT_EQ(one_.TakeOne().remaining, 899);
}

TEST_F(LeaseStoreTest, UnitsOfAWindowThatIsOverAreNotUsedInTheNext) {
  Pass(absl::Milliseconds(59'500));
  Warm(one_, 100);
  Pass(absl::Milliseconds(500));
  EXPECT_EQ(LeftInStore(), 1000);
  EXPECT_EQ(one_.TakeOne().remaining, 999);
  EXPECT_EQ(LeftInStore(), 999 - 50);
  EXPECT_THAT(one_.metrics(),
              HasSubstr("ratelimitd_lease_returned_units_total 0"));
}

TEST_F(LeaseStoreTest, UnitsThatArriveBackInTheNextWindowAreNotAddedToIt) {
  Pass(absl::Seconds(58));
  Warm(one_, 100);
  one_.far().SetNear(false);
  Pass(absl::Seconds(1));
  ASSERT_FALSE(one_.far().trips().empty());
  Pass(absl::Seconds(1));
  two_.TakeOne({.cost = 10, .lease = std::nullopt});
  while (!one_.far().trips().empty()) one_.far().Pass();
  EXPECT_EQ(LeftInStore(), 990);
}

TEST_F(LeaseStoreTest, ALeaseThatWasGivenForLongIsUsedFromWhenItWasAskedFor) {
  Warm(one_, 99);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseAsk>> asks;
  while (one_.far().trips().empty()) {
    asks.push_back(std::make_unique<LeaseAsk>(std::vector<LeaseCharge>(1)));
    asks.back()->Take(one_.store());
  }
  Pass(absl::Seconds(2));
  // It goes back as it comes.
  while (!one_.far().trips().empty()) one_.far().Pass();
  EXPECT_EQ(LeftInStore(), 1000 - 99 - static_cast<int64_t>(asks.size()));
}

TEST_F(LeaseStoreTest, WhileALeaseIsOnItsWayTheStoreIsAsked) {
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseAsk>> asks;
  for (int i = 0; i < 8; ++i) {
    asks.push_back(std::make_unique<LeaseAsk>(std::vector<LeaseCharge>(1)));
    asks.back()->Take(one_.store());
  }
  EXPECT_EQ(one_.far().trips().size(), 8U);
  one_.far().Pass();
  EXPECT_TRUE(asks[0]->outcome().allowed);
  // Now it is known what is left.
  EXPECT_EQ(one_.far().trips().size(), 8U);
  while (!one_.far().trips().empty()) one_.far().Pass();
  for (const auto& ask : asks) EXPECT_TRUE(ask->outcome().allowed);
  EXPECT_EQ(LeftInStore(), 1000 - 8 - 8);
  const int before = one_.far().takes();
  Warm(one_, 4);
  EXPECT_EQ(one_.far().takes(), before);
}

TEST_F(LeaseStoreTest, AfterALostLeaseNoneIsAskedForWithinATtl) {
  Warm(one_, 30);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseAsk>> asks;
  const auto ask = [&] {
    asks.push_back(std::make_unique<LeaseAsk>(std::vector<LeaseCharge>(1)));
    asks.back()->Take(one_.store());
  };
  while (one_.far().trips().empty()) ask();
  one_.far().LoseAnswer();
  one_.far().SetNear(true);
  const int before = one_.far().takes();
  Warm(one_, 100);
  // All but those that it still held.
  EXPECT_GT(one_.far().takes() - before, 80);
  Pass(absl::Seconds(1));
  Warm(one_, 100);
  const int then = one_.far().takes();
  Warm(one_, 100);
  EXPECT_LT(one_.far().takes() - then, 20);
}

TEST_F(LeaseStoreTest, ALeaseServesWhileTheStoreIsAway) {
  Warm(one_, 200);
  one_.far().SetNear(false);
  LeaseAsk ask(std::vector<LeaseCharge>(1));
  ask.Take(one_.store());
  ASSERT_TRUE(ask.answered());
  EXPECT_TRUE(ask.outcome().allowed);
}

TEST_F(LeaseStoreTest, AnErrorOfTheStoreIsTheCallersAndLeavesTheLease) {
  Warm(one_, 200);
  one_.far().SetNear(false);
  LeaseAsk ask({LeaseCharge{.cost = 500}});
  ask.Take(one_.store());
  ASSERT_FALSE(ask.answered());
  one_.far().Lose();
  EXPECT_EQ(ask.status().code(), absl::StatusCode::kUnavailable);
  one_.far().SetNear(true);
  EXPECT_EQ(one_.TakeOne({.cost = 800}).remaining, 0);
}

TEST_F(LeaseStoreTest, AFloodOnAnExhaustedCounterCostsTheStoreLittle) {
  Warm(one_, 1000);
  EXPECT_FALSE(one_.TakeOne().allowed);
  const int before = one_.far().takes();
  for (int i = 0; i < 1000; ++i) {
    const Outcome refused = one_.TakeOne();
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.retry_after,
              absl::Minutes(1) - (i / 100) * absl::Milliseconds(10));
    if (i % 100 == 99) Pass(absl::Milliseconds(10));
  }
  EXPECT_LE(one_.far().takes() - before, 1);
}

TEST_F(LeaseStoreTest, WhatOthersGiveBackIsNoticedWithin100Milliseconds) {
  Warm(two_, 200);
  EXPECT_TRUE(one_.TakeOne({.cost = LeftInStore()}).allowed);
  EXPECT_FALSE(one_.TakeOne().allowed);
  Pass(absl::Seconds(1));
  EXPECT_GT(LeftInStore(), 0);
  EXPECT_TRUE(one_.TakeOne().allowed);
}

}  // namespace
}  // namespace rls
