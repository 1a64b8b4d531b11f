#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <utility>

#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

// Whether a charge of one unit fits a limit of one.
bool TakeTheOnlyOne(CounterStore& store, const CounterKey& key) {
  const Policy one = PerMinute(1);
  const Charge charge{.policy = &one, .key = key};
  bool allowed = false;
  std::latch done(1);
  store.Take({&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
             [&](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
               allowed = outcomes.ok() && (*outcomes)[0].allowed;
               done.count_down();
             });
  done.wait();
  return allowed;
}

Policy SlidingPerMinute(int64_t limit) {
  Policy policy = PerMinute(limit);
  policy.algorithm = Algorithm::kSlidingWindow;
  return policy;
}

Policy BucketPerMinute(int64_t limit, int64_t burst) {
  Policy policy = PerMinute(limit);
  policy.algorithm = Algorithm::kTokenBucket;
  policy.burst = burst;
  return policy;
}

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

TEST_P(CounterStoreTest, AReportAndARefundAreMadeEvenIfOthersAreRefused) {
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

TEST_P(CounterStoreTest, AnIndependentTokenBucketForgetsRefusedCharges) {
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

TEST_P(CounterStoreTest, AProbeChargesNothingAndRefusesLikeACharge) {
  const TestCharge probe{
      .policy = PerMinute(3), .cost = 2, .kind = ChargeKind::kProbe};
  EXPECT_EQ(TakeOne(probe).remaining, 3);
  TakeOne({.policy = PerMinute(3), .cost = 2});
  const auto denied = Take({{.key = "other", .policy = PerMinute(5)}, probe});
  EXPECT_FALSE(denied[1].allowed);
  EXPECT_EQ(denied[1].remaining, 1);
  EXPECT_EQ(denied[1].retry_after, absl::Minutes(1));
  EXPECT_EQ(TakeOne({.key = "other", .policy = PerMinute(5)}).remaining, 4);
  EXPECT_EQ(TakeOne({.policy = PerMinute(3)}).remaining, 0);
}

TEST_P(CounterStoreTest, AnIndependentProbeIsNotCountedWhenRefused) {
  const TestCharge probe{
      .policy = PerMinute(3), .cost = 4, .kind = ChargeKind::kProbe};
  EXPECT_FALSE(Take({probe}, Accounting::kIndependent)[0].allowed);
  EXPECT_EQ(TakeOne({.policy = PerMinute(3)}).remaining, 2);
}

TEST_P(CounterStoreTest, ASingleWindowBeginsWithItsFirstChargeAndEndsOnce) {
  Policy single = PerMinute(5);
  single.algorithm = Algorithm::kSingleWindow;
  Pass(absl::Seconds(59));  // a window aligned to the epoch is nearly over
  const absl::Time start = clock_.Now();
  EXPECT_EQ(TakeOne({.policy = single, .cost = 2}).slot, start);
  Pass(absl::Seconds(59));
  const Outcome second = TakeOne({.policy = single, .cost = 2});
  EXPECT_EQ(second.remaining, 1);
  EXPECT_EQ(second.slot, start);
  EXPECT_EQ(second.reset_after, absl::Seconds(1));
  EXPECT_EQ(TakeOne({.policy = single, .cost = 2}).retry_after,
            absl::Seconds(1));
  Pass(absl::Seconds(1));
  const Outcome anew = TakeOne({.policy = single, .cost = 2});
  EXPECT_EQ(anew.remaining, 3);
  EXPECT_EQ(anew.slot, start + absl::Minutes(1));
}

TEST_P(CounterStoreTest, AReturnGivesBackNothingOfAnotherWindow) {
  for (const Policy& policy : {PerMinute(9), SlidingPerMinute(9)}) {
    const std::string key(AlgorithmWord(policy.algorithm));
    const auto take = [&](int64_t cost, absl::Time slot) {
      return TakeOne({.key = key,
                      .policy = policy,
                      .cost = cost,
                      .booking = Booking{.slot = slot}})
          .remaining;
    };
    const absl::Time now = clock_.Now();
    const absl::Time slot =
        TakeOne({.key = key, .policy = policy, .cost = 3}).slot;
    EXPECT_EQ(slot, now);
    EXPECT_EQ(take(-1, slot), 7);
    EXPECT_EQ(take(-1, slot - absl::Minutes(1)), 7);
    Pass(absl::Minutes(2));
    TakeOne({.key = key, .policy = policy, .cost = 3});
    EXPECT_EQ(take(-1, slot), 6);
  }
}

TEST_P(CounterStoreTest, AReturnGivesBackNothingThatABucketHasDripped) {
  const Policy bucket = BucketPerMinute(60, 59);
  const absl::Time slot = TakeOne({.policy = bucket, .cost = 30}).slot;
  EXPECT_EQ(slot, clock_.Now() + absl::Seconds(30));
  Pass(absl::Seconds(20));
  EXPECT_EQ(TakeOne({.policy = bucket, .cost = 20}).remaining, 30);
  EXPECT_EQ(
      TakeOne({.policy = bucket, .cost = -30, .booking = Booking{.slot = slot}})
          .remaining,
      40);
}

TEST_P(CounterStoreTest, ARefundNeverGoesBelowZero) {
  TakeOne({.policy = PerMinute(3), .cost = 1});
  TakeOne({.policy = PerMinute(3), .cost = -100});
  EXPECT_EQ(TakeOne({.policy = PerMinute(3)}).remaining, 2);
  EXPECT_EQ(
      TakeOne({.key = "new", .policy = PerMinute(3), .cost = -5}).remaining, 3);
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
  Pass(absl::Hours(23) - Tick());
  EXPECT_FALSE(TakeOne({.policy = daily}).allowed);
  Pass(Tick());
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

TEST_P(CounterStoreTest, PartsOfAKeyDoNotRunTogether) {
  using Parts = std::vector<absl::string_view>;
  const absl::string_view nul("a\0bc", 4);
  const absl::string_view length("\2\0\0\0\0\0\0\0bc", 10);
  const std::pair<absl::string_view, Parts> different[] = {
      {"s", {"a", "bc"}},     {"s", {"ab", "c"}}, {"s", {"abc"}},
      {"s", {"abc", ""}},     {"s", {"", "abc"}}, {"s", {nul}},
      {"s", {"a", length}},   {"s", {"a:bc"}},    {"s", {"a", "b", "c"}},
      {"sa", {"bc"}},         {"", {"s", "abc"}}, {"s", {}},
      {"s", {"abc", "", ""}},
  };
  for (const auto& [scope, parts] : different) {
    const CounterKey key{.scope = scope, .parts = parts};
    EXPECT_TRUE(TakeTheOnlyOne(*store_, key));
    EXPECT_FALSE(TakeTheOnlyOne(*store_, key));
  }
}

TEST_P(CounterStoreTest, ASlidingWindowFadesThePreviousOne) {
  const TestCharge ten{.policy = SlidingPerMinute(10), .cost = 10};
  EXPECT_EQ(TakeOne(ten).remaining, 0);
  EXPECT_FALSE(TakeOne({.policy = ten.policy}).allowed);
  Pass(absl::Seconds(90));
  EXPECT_EQ(TakeOne({.policy = ten.policy}).remaining, 4);
  Pass(absl::Minutes(2));
  EXPECT_EQ(TakeOne(ten).remaining, 0);
}

TEST_P(CounterStoreTest, ATokenBucketFillsAtItsPace) {
  const TestCharge one{.policy = BucketPerMinute(60, 4)};
  for (int left = 4; left >= 0; --left) {
    EXPECT_EQ(TakeOne(one).remaining, left);
  }
  const Outcome refused = TakeOne(one);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, absl::Seconds(1));
  EXPECT_EQ(refused.reset_after, absl::Seconds(5));
  Pass(absl::Seconds(1));
  EXPECT_TRUE(TakeOne(one).allowed);
  EXPECT_FALSE(TakeOne(one).allowed);
  Pass(absl::Seconds(5));
  EXPECT_EQ(TakeOne(one).remaining, 4);
}

TEST_P(CounterStoreTest, EveryAlgorithmTakesRefundsAndReports) {
  for (const Policy& policy :
       {PerMinute(60), SlidingPerMinute(60), BucketPerMinute(60, 59)}) {
    const std::string key(1, static_cast<char>(policy.algorithm));
    const auto take = [&](int64_t cost, ChargeKind kind) {
      return TakeOne(
          {.key = key, .policy = policy, .cost = cost, .kind = kind});
    };
    EXPECT_EQ(take(50, ChargeKind::kEnforce).remaining, 10);
    EXPECT_EQ(take(-20, ChargeKind::kEnforce).remaining, 30);
    EXPECT_EQ(take(40, ChargeKind::kReport).remaining, 0);
    EXPECT_FALSE(take(1, ChargeKind::kEnforce).allowed);
    EXPECT_FALSE(take(0, ChargeKind::kPeek).allowed);
    EXPECT_EQ(take(-11, ChargeKind::kObserve).remaining, 1);
    EXPECT_EQ(take(-1000, ChargeKind::kReport).remaining, 60);
    EXPECT_FALSE(take(61, ChargeKind::kObserve).allowed);
    EXPECT_EQ(take(60, ChargeKind::kObserve).remaining, 0);
  }
}

TEST_P(CounterStoreTest, EveryAlgorithmForgetsAnIdleCounter) {
  for (const Policy& policy :
       {PerMinute(6), SlidingPerMinute(6), BucketPerMinute(6, 5)}) {
    const TestCharge all{
        .key = std::string(1, static_cast<char>(policy.algorithm)),
        .policy = policy,
        .cost = 6};
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(TakeOne(all).remaining, 0);
      EXPECT_FALSE(TakeOne(all).allowed);
      Pass(absl::Minutes(2));
    }
  }
}

TEST_P(CounterStoreTest, ALimitOfZeroRefusesAllButReportsAndRefunds) {
  for (const Policy& policy : {PerMinute(0), SlidingPerMinute(0)}) {
    const std::string key(1, static_cast<char>(policy.algorithm));
    const Outcome refused = TakeOne({.key = key, .policy = policy});
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.retry_after, absl::InfiniteDuration());
    EXPECT_TRUE(
        TakeOne({.key = key, .policy = policy, .kind = ChargeKind::kReport})
            .allowed);
    EXPECT_TRUE(TakeOne({.key = key, .policy = policy, .cost = -1}).allowed);
    EXPECT_FALSE(TakeOne({.key = key, .policy = policy}).allowed);
  }
}

TEST_P(CounterStoreTest, TheOrderOfChargesDoesNotDecideWhatADenialKeeps) {
  TakeOne({.key = "full", .policy = PerMinute(1)});
  TakeOne({.key = "back", .policy = PerMinute(9), .cost = 5});
  const TestCharge full{.key = "full", .policy = PerMinute(1)};
  const TestCharge other{.key = "other", .policy = PerMinute(9)};
  const TestCharge report{.key = "tokens",
                          .policy = PerMinute(9),
                          .cost = 2,
                          .kind = ChargeKind::kReport};
  const TestCharge refund{.key = "back", .policy = PerMinute(9), .cost = -1};
  const auto before = Take({report, refund, other, full});
  const auto after = Take({full, other, refund, report});
  EXPECT_EQ(before[0].remaining, 7);
  EXPECT_EQ(after[3].remaining, 5);
  EXPECT_EQ(before[1].remaining, 5);
  EXPECT_EQ(after[2].remaining, 6);
  EXPECT_EQ(before[2].remaining, 9);
  EXPECT_EQ(after[1].remaining, 9);
  EXPECT_EQ(TakeOne(other).remaining, 8);
}

TEST_P(CounterStoreTest, ADenialKeepsAReportOfTheSameCounter) {
  const TestCharge one{.policy = PerMinute(5)};
  const TestCharge report{
      .policy = PerMinute(5), .cost = 2, .kind = ChargeKind::kReport};
  const auto outcomes =
      Take({one, report, {.policy = PerMinute(5), .cost = 9}});
  EXPECT_TRUE(outcomes[0].allowed);
  EXPECT_EQ(outcomes[0].remaining, 5);
  EXPECT_EQ(outcomes[1].remaining, 3);
  EXPECT_FALSE(outcomes[2].allowed);
  EXPECT_EQ(TakeOne(one).remaining, 2);
}

TEST_P(CounterStoreTest, ARefundMakesRoomForALaterChargeOfTheSameTake) {
  const TestCharge five{.policy = PerMinute(5), .cost = 5};
  TakeOne(five);
  const auto outcomes = Take({{.policy = PerMinute(5), .cost = -5}, five});
  EXPECT_TRUE(outcomes[1].allowed);
  EXPECT_FALSE(TakeOne({.policy = PerMinute(5)}).allowed);
}

TEST_P(CounterStoreTest, AnIndependentObservedRefusalCountsToo) {
  const TestCharge shadow{
      .policy = PerMinute(5), .cost = 3, .kind = ChargeKind::kObserve};
  EXPECT_TRUE(Take({shadow}, Accounting::kIndependent)[0].allowed);
  EXPECT_FALSE(Take({shadow}, Accounting::kIndependent)[0].allowed);
  // Six are used, not three: a limit of seven has room for one more.
  EXPECT_EQ(TakeOne({.policy = PerMinute(7)}).remaining, 0);
}

TEST_P(CounterStoreTest, AnIndependentSlidingWindowForgetsRefusedCharges) {
  const TestCharge three{.policy = SlidingPerMinute(5), .cost = 3};
  EXPECT_TRUE(Take({three}, Accounting::kIndependent)[0].allowed);
  EXPECT_FALSE(Take({three}, Accounting::kIndependent)[0].allowed);
  EXPECT_EQ(TakeOne({.policy = SlidingPerMinute(5)}).remaining, 1);
}

TEST_P(CounterStoreTest, AnHourThatTheClockRepeatsIsOneWindow) {
  Policy hourly = PerMinute(1);
  hourly.calendar = Calendar::kHour;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &hourly.zone));
  clock_.Set(absl::FromCivil(absl::CivilHour(2024, 10, 27, 2), hourly.zone));
  EXPECT_EQ(TakeOne({.policy = hourly}).reset_after, absl::Hours(2));
  Pass(absl::Hours(2) - Tick());
  EXPECT_FALSE(TakeOne({.policy = hourly}).allowed);
  Pass(Tick());
  EXPECT_TRUE(TakeOne({.policy = hourly}).allowed);
}

TEST_P(CounterStoreTest, AClockSetBackFreesNothing) {
  TakeOne({.policy = PerMinute(1)});
  Pass(-absl::Minutes(5));
  EXPECT_FALSE(TakeOne({.policy = PerMinute(1)}).allowed);
}

TEST_P(CounterStoreTest, AFutureDeadlineChangesNothing) {
  EXPECT_TRUE(TakeAndWait(*store_, {{.policy = PerMinute(1)}},
                          Accounting::kAllOrNothing,
                          clock_.Now() + absl::Seconds(10))
                  .ok());
}

INSTANTIATE_TEST_SUITE_P(Stores, CounterStoreTest,
                         ::testing::ValuesIn(AllStores()), NameOf);

}  // namespace
}  // namespace rls
