#include "store/lease/lease_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/store/lease/lease_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

class LeaseStoreTest : public ::testing::Test {
 protected:
  // The units left in the shared store, without leases.
  int64_t LeftInStore(const LeaseCharge& like = {}) {
    LeaseCharge look = like;
    look.kind = ChargeKind::kPeek;
    look.lease.reset();
    LeaseTake take({look});
    take.Take(*shared_);
    return take.outcome().remaining;
  }

  void Pass(absl::Duration time) {
    clock_.Advance(time);
    one_.FireTimers();
    two_.FireTimers();
  }

  // Makes a counter hot: sends requests in a row, all of them allowed.
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

TEST_F(LeaseStoreTest, ARareCounterGoesToTheStoreEachTime) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(one_.TakeOne().remaining, 999 - i);
    Pass(absl::Seconds(3));
  }
  EXPECT_EQ(one_.far().takes(), 10);
}

TEST_F(LeaseStoreTest, AHotCounterIsServedFromLeasedUnits) {
  Warm(one_, 200);
  const int before = one_.far().takes();
  Warm(one_, 400);
  // A lease is 50 units, 5% of the limit.
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

TEST_F(LeaseStoreTest, ASlowLeaseCountsFromTheTimeAtWhichItWasSent) {
  Warm(one_, 99);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseTake>> takes;
  while (one_.far().trips().empty()) {
    takes.push_back(std::make_unique<LeaseTake>(std::vector<LeaseCharge>(1)));
    takes.back()->Take(one_.store());
  }
  Pass(absl::Seconds(2));
  // The lease goes back on arrival.
  while (!one_.far().trips().empty()) one_.far().Pass();
  EXPECT_EQ(LeftInStore(), 1000 - 99 - static_cast<int64_t>(takes.size()));
}

TEST_F(LeaseStoreTest, WhileALeaseIsPendingChargesGoToTheStore) {
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseTake>> takes;
  for (int i = 0; i < 8; ++i) {
    takes.push_back(std::make_unique<LeaseTake>(std::vector<LeaseCharge>(1)));
    takes.back()->Take(one_.store());
  }
  EXPECT_EQ(one_.far().trips().size(), 8U);
  one_.far().Pass();
  EXPECT_TRUE(takes[0]->outcome().allowed);
  // Now the replica knows the remaining units.
  EXPECT_EQ(one_.far().trips().size(), 8U);
  while (!one_.far().trips().empty()) one_.far().Pass();
  for (const auto& take : takes) EXPECT_TRUE(take->outcome().allowed);
  EXPECT_EQ(LeftInStore(), 1000 - 8 - 8);
  const int before = one_.far().takes();
  Warm(one_, 4);
  EXPECT_EQ(one_.far().takes(), before);
}

TEST_F(LeaseStoreTest, AfterALostLeaseNoneIsTakenWithinATtl) {
  Warm(one_, 30);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseTake>> takes;
  const auto send = [&] {
    takes.push_back(std::make_unique<LeaseTake>(std::vector<LeaseCharge>(1)));
    takes.back()->Take(one_.store());
  };
  while (one_.far().trips().empty()) send();
  one_.far().LoseAnswer();
  one_.far().SetNear(true);
  const int before = one_.far().takes();
  Warm(one_, 100);
  // All but the units that the replica still had on hand.
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
  LeaseTake take(std::vector<LeaseCharge>(1));
  take.Take(one_.store());
  ASSERT_TRUE(take.answered());
  EXPECT_TRUE(take.outcome().allowed);
}

TEST_F(LeaseStoreTest, AnErrorOfTheStoreIsReturnedAndLeavesTheLease) {
  Warm(one_, 200);
  one_.far().SetNear(false);
  LeaseTake take({LeaseCharge{.cost = 500}});
  take.Take(one_.store());
  ASSERT_FALSE(take.answered());
  one_.far().Lose();
  EXPECT_EQ(take.status().code(), absl::StatusCode::kUnavailable);
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

TEST_F(LeaseStoreTest, UnitsThatOthersReturnAreNoticedWithin100Milliseconds) {
  Warm(two_, 200);
  EXPECT_TRUE(one_.TakeOne({.cost = LeftInStore()}).allowed);
  EXPECT_FALSE(one_.TakeOne().allowed);
  Pass(absl::Seconds(1));
  EXPECT_GT(LeftInStore(), 0);
  EXPECT_TRUE(one_.TakeOne().allowed);
}

}  // namespace
}  // namespace rls
