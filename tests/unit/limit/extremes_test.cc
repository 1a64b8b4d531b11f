#include <cstdint>

#include "absl/numeric/int128.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"

namespace rls {
namespace {

constexpr absl::Duration kNever = absl::InfiniteDuration();
const absl::Time kStart = absl::FromUnixSeconds(1'700'002'800);

constexpr Algorithm kAlgorithms[] = {Algorithm::kFixedWindow,
                                     Algorithm::kSlidingWindow,
                                     Algorithm::kTokenBucket};
constexpr BurstMode kModes[] = {BurstMode::kEarned, BurstMode::kUpfront};
constexpr int64_t kAmounts[] = {0, 1, 1'000'000'007, kMaxAmount};
constexpr int64_t kCosts[] = {
    INT64_MIN, INT64_MIN + 1, -kMaxAmount - 1, -kMaxAmount,   -1,       0,
    1,         kMaxAmount,    kMaxAmount + 1,  INT64_MAX - 1, INT64_MAX};
constexpr ChargeKind kKinds[] = {ChargeKind::kEnforce, ChargeKind::kObserve,
                                 ChargeKind::kReport,  ChargeKind::kPeek,
                                 ChargeKind::kProbe,   ChargeKind::kStated};

// Amounts from requests pass through SaturateAmount().
TEST(LimitExtremes, AmountsFromTheWireAreSaturated) {
  EXPECT_EQ(SaturateAmount(0), 0);
  EXPECT_EQ(SaturateAmount(uint64_t{1} << 53), kMaxAmount);
  EXPECT_EQ(SaturateAmount((uint64_t{1} << 53) - 1), kMaxAmount);
  EXPECT_EQ(SaturateAmount((uint64_t{1} << 53) - 2), kMaxAmount - 1);
  EXPECT_EQ(SaturateAmount(UINT64_MAX), kMaxAmount);
}

void ExpectSane(const Transition& transition) {
  const Outcome& outcome = transition.outcome;
  EXPECT_GE(outcome.remaining, 0);
  EXPECT_LE(outcome.remaining, kMaxAmount);
  EXPECT_GE(outcome.reset_after, absl::ZeroDuration());
  EXPECT_LT(outcome.reset_after, kNever);
  EXPECT_EQ(outcome.retry_after == absl::ZeroDuration(), outcome.allowed);
  EXPECT_GE(outcome.retry_after, absl::ZeroDuration());
  EXPECT_GE(transition.after.used, 0);
  EXPECT_LE(transition.after.used, kMaxAmount);
  EXPECT_GE(transition.after.carried, 0);
  EXPECT_LE(transition.after.carried, kMaxAmount);
}

// Every kind with every cost, in sequence on one counter, over the whole range
// of times in nanoseconds, forward and back. Useful with UBSan too.
void ChargeEverything(const Policy& policy) {
  CounterState state;
  const int64_t start_ns = absl::ToUnixNanos(kStart);
  for (const int64_t now_ns :
       {INT64_MIN + 1, int64_t{-1}, int64_t{0}, start_ns, start_ns + 1,
        INT64_MAX - 1, INT64_MAX, start_ns, INT64_MIN + 1}) {
    const absl::Time now = absl::FromUnixNanos(now_ns);
    for (const ChargeKind kind : kKinds) {
      for (const int64_t cost : kCosts) {
        const Transition transition = Judge(policy, state, kind, cost, now);
        ExpectSane(transition);
        state = transition.after;
        EXPECT_GE(Expiry(policy, state), absl::InfinitePast());
      }
    }
  }
}

TEST(LimitExtremes, NoAmountAndNoTimeOverflows) {
  for (const Algorithm algorithm : kAlgorithms) {
    for (const BurstMode mode : kModes) {
      for (const int64_t limit : kAmounts) {
        for (const int64_t burst : kAmounts) {
          for (const absl::Duration window : {kMinWindow, kMaxWindow}) {
            SCOPED_TRACE(testing::Message()
                         << "algorithm " << static_cast<int>(algorithm)
                         << " limit " << limit << " burst " << burst);
            ChargeEverything({.algorithm = algorithm,
                              .burst_mode = mode,
                              .limit = limit,
                              .burst = burst,
                              .window = window});
            if (testing::Test::HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST(LimitExtremes, CalendarWindowsDoNotOverflowEither) {
  for (const Calendar calendar :
       {Calendar::kHour, Calendar::kDay, Calendar::kWeek, Calendar::kMonth,
        Calendar::kYear}) {
    ChargeEverything(
        {.calendar = calendar, .limit = kMaxAmount, .burst = kMaxAmount});
  }
}

TEST(LimitExtremes, CostsBeyondTheLargestAmountAreSaturated) {
  for (const Algorithm algorithm : kAlgorithms) {
    const Policy policy = {.algorithm = algorithm, .limit = 100, .burst = 99};
    const CounterState some =
        Judge(policy, {}, ChargeKind::kEnforce, 7, kStart).after;
    for (const ChargeKind kind : kKinds) {
      const auto judge = [&](int64_t cost) {
        return Judge(policy, some, kind, cost, kStart + absl::Seconds(1));
      };
      for (const int64_t cost : {kMaxAmount + 1, INT64_MAX}) {
        EXPECT_EQ(judge(cost).after, judge(kMaxAmount).after);
      }
      for (const int64_t cost : {-kMaxAmount - 1, INT64_MIN}) {
        EXPECT_EQ(judge(cost).after, judge(-kMaxAmount).after);
      }
      if (OnlyLooks(kind)) continue;
      EXPECT_EQ(judge(INT64_MIN).outcome.remaining, 100);
    }
  }
}

TEST(LimitExtremes, TheLargestLimitIsNeverExceeded) {
  for (const Algorithm algorithm : kAlgorithms) {
    for (const BurstMode mode : kModes) {
      const Policy policy = {.algorithm = algorithm,
                             .burst_mode = mode,
                             .limit = kMaxAmount,
                             .burst = kMaxAmount};
      CounterState state;
      absl::int128 admitted = 0;
      for (int i = 0; i < 10; ++i) {
        const Transition transition =
            Judge(policy, state, ChargeKind::kEnforce, kMaxAmount, kStart);
        state = transition.after;
        if (transition.outcome.allowed) admitted += kMaxAmount;
      }
      EXPECT_GE(admitted, kMaxAmount);
      EXPECT_LE(admitted, absl::int128(2) * kMaxAmount);
    }
  }
}

TEST(LimitExtremes, ALimitOfZeroRefusesEveryHitButNotALook) {
  for (const Algorithm algorithm : kAlgorithms) {
    for (const absl::Duration later : {absl::ZeroDuration(), absl::Hours(9)}) {
      const Policy policy = {.algorithm = algorithm, .limit = 0};
      for (const int64_t cost : {int64_t{1}, kMaxAmount}) {
        const Transition hit =
            Judge(policy, {}, ChargeKind::kEnforce, cost, kStart + later);
        EXPECT_FALSE(hit.outcome.allowed);
        EXPECT_EQ(hit.outcome.remaining, 0);
        EXPECT_EQ(hit.outcome.retry_after, kNever);
        EXPECT_EQ(hit.after, CounterState());
      }
      const Outcome look =
          Judge(policy, {}, ChargeKind::kPeek, 1, kStart + later).outcome;
      EXPECT_TRUE(look.allowed);
      EXPECT_EQ(look.remaining, 0);
    }
  }
}

TEST(LimitExtremes, ABucketFasterThanANanosecondStillAdmits) {
  for (const int64_t limit :
       {int64_t{999'999'999}, int64_t{1'000'000'001}, kMaxAmount}) {
    const Policy policy = {.algorithm = Algorithm::kTokenBucket,
                           .limit = limit,
                           .window = absl::Seconds(1)};
    CounterState state;
    for (int i = 0; i < 5; ++i) {
      const Transition transition = Judge(policy, state, ChargeKind::kEnforce,
                                          1, kStart + absl::Milliseconds(i));
      EXPECT_TRUE(transition.outcome.allowed) << limit;
      state = transition.after;
    }
  }
}

}  // namespace
}  // namespace rls
