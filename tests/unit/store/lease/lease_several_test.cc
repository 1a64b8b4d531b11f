// Leases with several charges, with limits that change, and at shutdown.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store/lease/leased_counters.h"
#include "unit/store/lease/lease_fixture.h"

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
    LeaseTake take({look});
    take.Take(*shared_);
    return take.outcome().remaining;
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

TEST_F(SeveralLeasesTest, IndependentChargesKeepTheirUnits) {
  Warm(200);
  one_.TakeOne(kTight);
  LeaseTake take({kHot, kTight});
  take.Take(one_.store(), Accounting::kIndependent);
  EXPECT_TRUE(take.outcomes()[0].allowed);
  EXPECT_FALSE(take.outcomes()[1].allowed);
  EXPECT_EQ(one_.TakeOne().remaining, 798);
}

TEST_F(SeveralLeasesTest, ARefusalThatCountsGoesToTheStore) {
  const LeaseCharge small{.policy = {.limit = 10, .window = absl::Minutes(1)}};
  Warm(10, small);
  for (int i = 0; i < 10; ++i) {
    LeaseTake take({small});
    take.Take(one_.store(), Accounting::kIndependent);
    EXPECT_FALSE(take.outcome().allowed);
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

TEST_F(SeveralLeasesTest, LooksReportsAndRefundsGoToTheStore) {
  Warm(200);
  const int before = one_.far().takes();
  for (const ChargeKind kind : {ChargeKind::kReport, ChargeKind::kStated,
                                ChargeKind::kPeek, ChargeKind::kProbe}) {
    one_.TakeOne({.kind = kind});
  }
  one_.TakeOne({.cost = -1});
  EXPECT_EQ(one_.far().takes() - before, 5);
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

TEST_F(SeveralLeasesTest, ALeaseUnderTheOldLimitGoesBackOnArrival) {
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseTake>> takes;
  for (int i = 0; i < 20; ++i) {
    takes.push_back(std::make_unique<LeaseTake>(std::vector<LeaseCharge>(1)));
    takes.back()->Take(one_.store());
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

TEST_F(SeveralLeasesTest, UnitsInUseAreNotLostWhenTheLimitChanges) {
  Warm(200);
  one_.TakeOne(kTight);
  one_.far().SetNear(false);
  LeaseTake denied({kHot, kTight});
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

// Many requests use leased units and wait for another limit. Their units count
// as on hand: if the other limit refuses all of them, at most one share is
// back.
TEST_F(SeveralLeasesTest, UnitsInUseCountAsOnHand) {
  Warm(200);
  one_.TakeOne(kTight);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseTake>> takes;
  for (int i = 0; i < 200; ++i) {
    takes.push_back(std::make_unique<LeaseTake>(std::vector{kHot, kTight}));
    takes.back()->Take(one_.store());
  }
  while (!one_.far().trips().empty()) one_.far().Pass();
  for (const auto& take : takes) EXPECT_FALSE(take->outcomes()[1].allowed);
  EXPECT_GE(LeftInStore(), 800 - 50);
}

TEST_F(SeveralLeasesTest, ReturnAllReturnsAllUnits) {
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

TEST_F(SeveralLeasesTest, ReturnAllWaitsForPendingTakes) {
  Warm(99);
  one_.far().SetNear(false);
  std::vector<std::unique_ptr<LeaseTake>> takes;
  while (one_.far().trips().empty()) {
    takes.push_back(std::make_unique<LeaseTake>(std::vector<LeaseCharge>(1)));
    takes.back()->Take(one_.store());
  }
  bool returned = false;
  one_.store().ReturnAll([&] { returned = true; });
  while (!one_.far().trips().empty()) {
    EXPECT_FALSE(returned);
    one_.far().Pass();
  }
  EXPECT_TRUE(returned);
  EXPECT_EQ(LeftInStore(), 1000 - 99 - static_cast<int64_t>(takes.size()));
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

TEST_F(SeveralLeasesTest, ABucketGivesNothingBack) {
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
  const int counters = static_cast<int>(LeasedCounters::kMaxCounters) * 2;
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
        LeaseTake take({charge});
        take.Take(*store);
        allowed += take.outcome().allowed ? 1 : 0;
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
