#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store_memory/memory_store.h"
#include "unit/counter_store_suite.h"

namespace rls {
namespace {

TEST_P(CounterStoreTest, SixthOfFiveIsRefusedAndChargesNothing) {
  for (int left = 4; left >= 0; --left) {
    EXPECT_EQ(TakeOne({.policy = PerMinute(5)}).remaining, left);
  }
  const Outcome refused = TakeOne({.policy = PerMinute(5)});
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, absl::Minutes(1));
  EXPECT_TRUE(TakeOne({.policy = PerMinute(6)}).allowed);
}

TEST_P(CounterStoreTest, ForgetsAfterItsWindow) {
  TakeOne({.policy = PerMinute(5), .cost = 5});
  Pass(absl::Minutes(1));
  EXPECT_EQ(TakeOne({.policy = PerMinute(5)}).remaining, 4);
}

TEST_P(CounterStoreTest, CountersOfDifferentKeysAreApart) {
  const std::string nul("a\0b", 3);
  for (const std::string& key :
       {std::string("a"), std::string("b"), std::string(""), nul,
        std::string(100'000, 'x'), std::string("\xff\xfe")}) {
    EXPECT_EQ(TakeOne({.key = key, .policy = PerMinute(2)}).remaining, 1);
  }
}

TEST_P(CounterStoreTest, ADeniedRequestConsumesNothing) {
  TakeOne({.key = "full", .policy = PerMinute(1)});
  const auto outcomes = Take(
      {{.key = "other", .policy = PerMinute(5)},
       {.key = "shadow", .policy = PerMinute(5), .kind = ChargeKind::kObserve},
       {.key = "full", .policy = PerMinute(1)}});
  EXPECT_TRUE(outcomes[0].allowed);
  EXPECT_EQ(outcomes[0].remaining, 5);
  EXPECT_EQ(outcomes[1].remaining, 5);
  EXPECT_FALSE(outcomes[2].allowed);
  EXPECT_EQ(TakeOne({.key = "other", .policy = PerMinute(5)}).remaining, 4);
  EXPECT_EQ(TakeOne({.key = "shadow", .policy = PerMinute(5)}).remaining, 4);
}

TEST_P(CounterStoreTest, AnObservedRefusalDeniesNothing) {
  TakeOne({.key = "shadow", .policy = PerMinute(1)});
  const auto outcomes = Take(
      {{.key = "shadow", .policy = PerMinute(1), .kind = ChargeKind::kObserve},
       {.key = "other", .policy = PerMinute(5)}});
  EXPECT_FALSE(outcomes[0].allowed);
  EXPECT_EQ(outcomes[1].remaining, 4);
}

TEST_P(CounterStoreTest, AReportAndARefundAreMadeWhateverTheOthersGet) {
  TakeOne({.key = "full", .policy = PerMinute(1)});
  TakeOne({.key = "back", .policy = PerMinute(9), .cost = 5});
  Take({{.key = "tokens",
         .policy = PerMinute(9),
         .cost = 20,
         .kind = ChargeKind::kReport},
        {.key = "back", .policy = PerMinute(9), .cost = -2},
        {.key = "full", .policy = PerMinute(1)}});
  EXPECT_FALSE(TakeOne({.key = "tokens", .policy = PerMinute(20)}).allowed);
  EXPECT_EQ(TakeOne({.key = "tokens", .policy = PerMinute(21)}).remaining, 0);
  EXPECT_EQ(TakeOne({.key = "back", .policy = PerMinute(9)}).remaining, 5);
}

TEST_P(CounterStoreTest, IndependentChargesStandAloneAndRefusalsCount) {
  const TestCharge three{.policy = PerMinute(5), .cost = 3};
  const TestCharge other{.key = "other", .policy = PerMinute(9)};
  const auto take = [&](const TestCharge& charge) {
    return Take({charge, other}, Accounting::kIndependent);
  };
  EXPECT_TRUE(take(three)[0].allowed);
  const auto second = take(three);
  EXPECT_FALSE(second[0].allowed);
  EXPECT_EQ(second[0].remaining, 0);
  EXPECT_EQ(second[1].remaining, 7);
  EXPECT_FALSE(take({.policy = PerMinute(5)})[0].allowed);
}

TEST_P(CounterStoreTest, AnIndependentTokenBucketForgetsWhatItRefused) {
  Policy bucket = PerMinute(60);
  bucket.algorithm = Algorithm::kTokenBucket;
  for (int i = 0; i < 20; ++i) {
    Take({{.policy = bucket}}, Accounting::kIndependent);
  }
  Pass(absl::Seconds(1));
  EXPECT_TRUE(Take({{.policy = bucket}}, Accounting::kIndependent)[0].allowed);
}

TEST_P(CounterStoreTest, ChargesOfOneCounterSeeEachOther) {
  const TestCharge one{.policy = PerMinute(3)};
  const auto outcomes = Take({one, one});
  EXPECT_EQ(outcomes[0].remaining, 2);
  EXPECT_EQ(outcomes[1].remaining, 1);
  const auto denied = Take({one, one});
  EXPECT_FALSE(denied[1].allowed);
  EXPECT_EQ(TakeOne(one).remaining, 0);
}

TEST_P(CounterStoreTest, APeekChargesNothing) {
  const TestCharge peek{.policy = PerMinute(3), .kind = ChargeKind::kPeek};
  EXPECT_EQ(TakeOne(peek).remaining, 3);
  TakeOne({.policy = PerMinute(3), .cost = 3});
  EXPECT_TRUE(TakeOne(peek).allowed);
  EXPECT_EQ(TakeOne(peek).remaining, 0);
}

TEST_P(CounterStoreTest, ARefundNeverGoesBelowZero) {
  TakeOne({.policy = PerMinute(3), .cost = 1});
  TakeOne({.policy = PerMinute(3), .cost = -100});
  EXPECT_EQ(TakeOne({.policy = PerMinute(3)}).remaining, 2);
  EXPECT_EQ(
      TakeOne({.key = "new", .policy = PerMinute(3), .cost = -5}).remaining, 3);
}

TEST_P(CounterStoreTest, AChangedLimitCountsWhatWasUsed) {
  TakeOne({.policy = PerMinute(10), .cost = 4});
  EXPECT_FALSE(TakeOne({.policy = PerMinute(3)}).allowed);
  EXPECT_EQ(TakeOne({.policy = PerMinute(6)}).remaining, 1);
}

TEST_P(CounterStoreTest, EarnedBurstComesWithIdleTime) {
  Policy free = PerMinute(5);
  free.burst = 2;
  EXPECT_FALSE(TakeOne({.policy = free, .cost = 6}).allowed);
  TakeOne({.policy = free, .cost = 1});
  Pass(absl::Minutes(2));
  EXPECT_EQ(TakeOne({.policy = free, .cost = 7}).remaining, 0);
}

TEST_P(CounterStoreTest, UpfrontBurstIsThereInEveryWindow) {
  Policy policy = PerMinute(5);
  policy.burst = 2;
  policy.burst_mode = BurstMode::kUpfront;
  for (int window = 0; window < 3; ++window) {
    EXPECT_EQ(TakeOne({.policy = policy, .cost = 7}).remaining, 0);
    EXPECT_FALSE(TakeOne({.policy = policy}).allowed);
    Pass(absl::Minutes(1));
  }
}

TEST_P(CounterStoreTest, CalendarDaysFollowTheirTimeZone) {
  Policy daily = PerMinute(1);
  daily.calendar = Calendar::kDay;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &daily.zone));
  // The day on which clocks go forward has 23 hours.
  clock_.Set(absl::FromCivil(absl::CivilHour(2024, 3, 31, 0), daily.zone));
  EXPECT_EQ(TakeOne({.policy = daily}).reset_after, absl::Hours(23));
  Pass(absl::Hours(23) - absl::Nanoseconds(1));
  EXPECT_FALSE(TakeOne({.policy = daily}).allowed);
  Pass(absl::Nanoseconds(1));
  EXPECT_TRUE(TakeOne({.policy = daily}).allowed);
}

TEST_P(CounterStoreTest, HugeCostsSaturate) {
  const TestCharge huge{.policy = PerMinute(kMaxAmount), .cost = INT64_MAX};
  EXPECT_TRUE(TakeOne(huge).allowed);
  EXPECT_FALSE(TakeOne(huge).allowed);
  TestCharge report = huge;
  report.kind = ChargeKind::kReport;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(TakeOne(report).remaining, 0);
}

TEST_P(CounterStoreTest, APassedDeadlineChargesNothing) {
  const TestCharge one{.policy = PerMinute(3)};
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      TakeAndWait(*store_, {one}, Accounting::kAllOrNothing, clock_.Now())
          .status()));
  EXPECT_EQ(TakeOne(one).remaining, 2);
}

TEST_P(CounterStoreTest, NoChargesHaveNoOutcomes) {
  EXPECT_THAT(Take({}), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, CounterStoreTest,
                         ::testing::Values(StoreKind{"Memory",
                                                     [](const Clock& clock) {
                                                       return NewMemoryStore(
                                                           clock, {});
                                                     }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace rls
