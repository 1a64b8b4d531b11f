// Leases of several charges, of limits that change, and at the end.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store_lease/lease_table.h"
#include "unit/lease_fixture.h"

namespace rls {
namespace {

const LeaseCharge kHot;
const LeaseCharge kTight{.name = "tight",
                         .policy = {.limit = 1, .window = absl::Minutes(1)},
                         .lease = std::nullopt};

class SeveralLeasesTest : public ::testing::Test {
 protected:
  int64_t LeftInStore(LeaseCharge look = {}) {
    look.kind = ChargeKind::kPeek;
    look.lease.reset();
    LeaseAsk ask({look});
    ask.Take(*shared_);
    return ask.outcome().remaining;
  }
  void Warm(int takes, const LeaseCharge& charge = {}) {
    for (int i = 0; i < takes; ++i) {
      ASSERT_TRUE(one_.TakeOne(charge).allowed) << i;
    }
  }

  FakeClock clock_;
  const std::unique_ptr<CounterStore> shared_ = NewMemoryStore(clock_, {});
  LeasingReplica one_{clock_, *shared_};
};

TEST_F(SeveralLeasesTest, ADeniedRequestUsesNothingOfALease) {
  Warm(200);
  one_.TakeOne(kTight);
  const std::vector<Outcome> denied = one_.Take({kHot, kTight});
  EXPECT_TRUE(denied[0].allowed);
  EXPECT_EQ(denied[0].remaining, 800);
  EXPECT_FALSE(denied[1].allowed);
  EXPECT_EQ(one_.TakeOne().remaining, 799);
}

TEST_F(SeveralLeasesTest, IndependentChargesKeepWhatTheyGot) {
  Warm(200);
  one_.TakeOne(kTight);
  LeaseAsk ask({kHot, kTight});
  ask.Take(one_.store(), Accounting::kIndependent);
  EXPECT_TRUE(ask.outcomes()[0].allowed);
  EXPECT_FALSE(ask.outcomes()[1].allowed);
  EXPECT_EQ(one_.TakeOne().remaining, 798);
}

TEST_F(SeveralLeasesTest, ARefusalThatIsCountedIsAskedOfTheStore) {
  const LeaseCharge small{.policy = {.limit = 10, .window = absl::Minutes(1)}};
  Warm(10, small);
  for (int i = 0; i < 10; ++i) {
    LeaseAsk ask({small});
    ask.Take(one_.store(), Accounting::kIndependent);
    EXPECT_FALSE(ask.outcome().allowed);
  }
  LeaseCharge raised = small;
  raised.policy.limit = 25;
  EXPECT_EQ(LeftInStore(raised), 5);
}

TEST_F(SeveralLeasesTest, AnObservedChargeIsServedAndDeniesNothing) {
  const LeaseCharge shadow{.kind = ChargeKind::kObserve};
  Warm(1000, shadow);
  EXPECT_LT(one_.far().takes(), 200);
  EXPECT_TRUE(one_.Take({shadow, kTight})[1].allowed);
}

TEST_F(SeveralLeasesTest, LooksReportsAndRefundsAreAskedOfTheStore) {
  Warm(200);
  const int before = one_.far().takes();
  for (const ChargeKind kind :
       {ChargeKind::kReport, ChargeKind::kPeek, ChargeKind::kProbe}) {
    one_.TakeOne({.kind = kind});
  }
  one_.TakeOne({.cost = -1});
  EXPECT_EQ(one_.far().takes() - before, 4);
}

TEST_F(SeveralLeasesTest, AChangedLimitHoldsAtTheNextRequest) {
  Warm(200);
  LeaseCharge lowered;
  lowered.policy.limit = 201;
  EXPECT_TRUE(one_.TakeOne(lowered).allowed);
  EXPECT_FALSE(one_.TakeOne(lowered).allowed);
  LeaseCharge raised;
  raised.policy.limit = 2000;
  Warm(1799, raised);
  EXPECT_FALSE(one_.TakeOne(raised).allowed);
}

TEST_F(SeveralLeasesTest, ALeaseUnderTheOldLimitGoesBackAsItComes) {
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseAsk>> asks;
  for (int i = 0; i < 20; ++i) {
    asks.push_back(std::make_unique<LeaseAsk>(std::vector<LeaseCharge>(1)));
    asks.back()->Take(one_.store());
  }
  while (one_.far().trips().size() > 1) one_.far().Pass();
  one_.far().SetNear(true);
  LeaseCharge lowered;
  lowered.policy.limit = 21;
  EXPECT_TRUE(one_.TakeOne(lowered).allowed);
  while (!one_.far().trips().empty()) one_.far().Pass();
  EXPECT_FALSE(one_.TakeOne(lowered).allowed);
  EXPECT_EQ(LeftInStore(), 1000 - 21);
}

TEST_F(SeveralLeasesTest, WhatIsInUseWhileTheLimitChangesIsNotLost) {
  Warm(200);
  one_.TakeOne(kTight);
  one_.far().SetNear(false);
  LeaseAsk denied({kHot, kTight});
  denied.Take(one_.store());
  one_.far().SetNear(true);
  LeaseCharge changed;
  for (const int64_t limit : {900, 900, 800}) {
    changed.policy.limit = limit;
    if (limit == 800) one_.far().Pass();
    EXPECT_TRUE(one_.TakeOne(changed).allowed);
  }
  EXPECT_TRUE(denied.outcomes()[0].allowed);
  EXPECT_FALSE(denied.outcomes()[1].allowed);
  EXPECT_EQ(LeftInStore(changed), 800 - 200 - 3);
}

// What many requests use that wait for another limit is held, too: when that
// refuses them, no more than a share is back.
TEST_F(SeveralLeasesTest, WhatIsInUseCountsAsHeld) {
  Warm(200);
  one_.TakeOne(kTight);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseAsk>> asks;
  for (int i = 0; i < 200; ++i) {
    asks.push_back(std::make_unique<LeaseAsk>(std::vector{kHot, kTight}));
    asks.back()->Take(one_.store());
  }
  while (!one_.far().trips().empty()) one_.far().Pass();
  for (const auto& ask : asks) EXPECT_FALSE(ask->outcomes()[1].allowed);
  EXPECT_GE(LeftInStore(), 800 - 50);
}

TEST_F(SeveralLeasesTest, AllGoesBackAtTheEnd) {
  Warm(200);
  EXPECT_LT(LeftInStore(), 800);
  bool returned = false;
  one_.store().ReturnAll([&] { returned = true; });
  EXPECT_TRUE(returned);
  EXPECT_EQ(LeftInStore(), 800);
  const int before = one_.far().takes();
  Warm(10);
  EXPECT_EQ(one_.far().takes() - before, 10);
}

TEST_F(SeveralLeasesTest, TheEndWaitsForWhatIsOnItsWay) {
  Warm(99);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseAsk>> asks;
  while (one_.far().trips().empty()) {
    asks.push_back(std::make_unique<LeaseAsk>(std::vector<LeaseCharge>(1)));
    asks.back()->Take(one_.store());
  }
  bool returned = false;
  one_.store().ReturnAll([&] { returned = true; });
  while (!one_.far().trips().empty()) {
    EXPECT_FALSE(returned);
    one_.far().Pass();
  }
  EXPECT_TRUE(returned);
  EXPECT_EQ(LeftInStore(), 1000 - 99 - static_cast<int64_t>(asks.size()));
}

TEST_F(SeveralLeasesTest, SlidingWindowsAndBucketsAreLeasedToo) {
  for (const Algorithm algorithm :
       {Algorithm::kSlidingWindow, Algorithm::kTokenBucket}) {
    LeaseCharge charge{.name = std::string(AlgorithmWord(algorithm))};
    charge.policy.algorithm = algorithm;
    charge.policy.burst = algorithm == Algorithm::kTokenBucket ? 999 : 0;
    const int before = one_.far().takes();
    Warm(900, charge);
    EXPECT_LT(one_.far().takes() - before, 100);
    int allowed = 0;
    for (int i = 0; i < 200; ++i) allowed += one_.TakeOne(charge).allowed;
    EXPECT_EQ(allowed, 100);
  }
}

TEST_F(SeveralLeasesTest, OfABucketNothingIsGivenBack) {
  LeaseCharge bucket;
  bucket.policy = {.algorithm = Algorithm::kTokenBucket,
                   .limit = 600,
                   .burst = 599,
                   .window = absl::Minutes(1)};
  Warm(100, bucket);
  const int64_t left = LeftInStore(bucket);
  clock_.Advance(absl::Seconds(1));
  one_.FireTimers();
  EXPECT_LT(left, 500);
  EXPECT_EQ(LeftInStore(bucket), left + 10);  // which have dripped
}

TEST_F(SeveralLeasesTest, MoreCountersThanPlacesAreAllCounted) {
  const int counters = static_cast<int>(LeaseTable::kMaxCounters) * 2;
  for (int i = 0; i < counters; ++i) {
    const LeaseCharge charge{.name = std::to_string(i)};
    ASSERT_EQ(one_.TakeOne(charge).remaining, 999);
    ASSERT_EQ(one_.TakeOne(charge).remaining, 998);
  }
}

TEST_F(SeveralLeasesTest, ThreadsShareALeaseAndNeverPassTheLimit) {
  const std::unique_ptr<EventLoop> loop = NewEventLoop();
  const std::unique_ptr<Metrics> metrics = NewMetrics();
  const auto store = NewLeaseStore(*shared_, *loop, clock_, *metrics);
  std::thread running([&] { loop->Run(); });
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  const LeaseCharge charge{
      .policy = {.limit = 20'000, .window = absl::Minutes(1)}};
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 6000; ++i) {
        LeaseAsk ask({charge});
        ask.Take(*store);
        allowed += ask.outcome().allowed ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  loop->Stop();
  running.join();
  EXPECT_LE(allowed, 20'000);
  EXPECT_GE(allowed, 19'000);
}

}  // namespace
}  // namespace rls
