// States that lie in the future: the clock was ahead and has been set back, or
// another program wrote them.

#include <gtest/gtest.h>

#include <algorithm>

#include "limit/judge.h"
#include "unit/limit/dice.h"

namespace rls {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;

Policy WithAlgorithm(int number, Policy policy) {
  if (number == 3) {
    policy.algorithm = Algorithm::kSingleWindow;
    return policy;
  }
  policy.algorithm = static_cast<Algorithm>(number);
  return policy;
}

// The longest reset that the algorithm announces when no clock is set.
int64_t LongestReset(const Policy& policy) {
  const int64_t window = WindowNs(policy);
  switch (policy.algorithm) {
    case Algorithm::kSlidingWindow:
      return 2 * window;
    case Algorithm::kTokenBucket:
      if (policy.limit == 0) return 0;
      return std::max(window, window * (policy.burst + 2) / policy.limit + 1);
    case Algorithm::kFixedWindow:
    case Algorithm::kSingleWindow:
      break;
  }
  return window;
}

struct Store {
  Outcome Take(const Policy& policy, int64_t now) {
    state = Healed(policy, state, At(now));
    const Transition judged =
        Judge(policy, state, ChargeKind::kEnforce, 1, At(now));
    state = judged.after;
    return judged.outcome;
  }

  CounterState state;
};

// Steps of seconds, hours and years.
constexpr int64_t kSteps[] = {2'000'000'000,     90'000'000'000,
                              kHourNs,           25 * kHourNs,
                              24 * 31 * kHourNs, 24 * 366 * 50 * kHourNs};

TEST(LimitHealed, AClockSetForwardAndBackCostsAtMostOneWindow) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (int algorithm = 0; algorithm < 4; ++algorithm) {
      for (const int64_t step : kSteps) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << ", algorithm "
                                        << algorithm << ", step " << step);
        Dice dice(seed);
        Policy policy = WithAlgorithm(algorithm, dice.AnyPolicy());
        policy.limit = std::max<int64_t>(1, policy.limit);
        // Longer than the window, and therefore than the promise.
        if (algorithm == 2)
          policy.burst = std::min(policy.burst, policy.limit - 1);
        Store store;
        int64_t now = kStartNs + dice.Below(WindowNs(policy));
        for (int i = 0; i < 30; ++i) {
          store.Take(policy, now + step);
          now += dice.Below(WindowNs(policy) / 8);
        }
        // The clock is right again.
        const Outcome back = store.Take(policy, now);
        EXPECT_LE(absl::ToInt64Nanoseconds(back.reset_after),
                  LongestReset(policy) + kClockToleranceNs);
        if (!back.allowed) {
          EXPECT_LE(absl::ToInt64Nanoseconds(back.retry_after),
                    LongestReset(policy) + kClockToleranceNs);
        }
        const int64_t later = now + WindowNs(policy) * (algorithm == 1 ? 2 : 1);
        EXPECT_TRUE(store.Take(policy, later + kClockToleranceNs).allowed);
      }
    }
  }
}

TEST(LimitHealed, AClockSetBackFreesNothing) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (const int64_t step : kSteps) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", step " << step);
      Dice dice(seed);
      const Policy policy = dice.AnyPolicy();
      Store store;
      const int64_t now = kStartNs + dice.Below(WindowNs(policy));
      for (int i = 0; i < 30; ++i) store.Take(policy, now + step);
      EXPECT_FALSE(store.Take(policy, now).allowed);
    }
  }
}

// With a queue a charge waits instead of being refused.
TEST(LimitHealed, AClockSetForwardAndBackDelaysNoQueueForLongerThanItsSlots) {
  for (const int64_t step : kSteps) {
    for (int seed = 0; seed < kSeeds / 10; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", step " << step);
      Dice dice(seed);
      const Policy policy{.limit = 1 + dice.Below(9),
                          .window = absl::Minutes(1),
                          .queue = true};
      const Booking booking{.max_wait = absl::Hours(1), .max_queued = 1000};
      CounterState state;
      const auto take = [&](int64_t now) {
        state = Healed(policy, state, At(now));
        const Transition judged =
            Judge(policy, state, ChargeKind::kEnforce, 1, At(now), &booking);
        state = judged.after;
        return judged.outcome;
      };
      const int64_t now = kStartNs + dice.Below(WindowNs(policy));
      const int64_t count = 1 + dice.Below(5 * policy.limit);
      for (int64_t i = 0; i < count; ++i) take(now + step);
      const Outcome back = take(now);
      EXPECT_TRUE(back.allowed);
      // The windows that all units need, and the rest of the running one.
      const int64_t windows = count / policy.limit;
      EXPECT_LE(back.wait,
                windows * policy.window + absl::Nanoseconds(kClockToleranceNs));
    }
  }
}

// A debt outlasts its window, and is not taken for a state of the future.
TEST(LimitHealed, ADebtOfReportsIsKept) {
  Policy policy{.algorithm = Algorithm::kTokenBucket,
                .limit = 10,
                .window = absl::Minutes(1)};
  const CounterState debt =
      Judge(policy, {}, ChargeKind::kReport, 1000, At(kStartNs)).after;
  for (const int64_t later : {int64_t{0}, 10 * int64_t{60'000'000'000}}) {
    EXPECT_EQ(Healed(policy, debt, At(kStartNs + later)), debt);
  }
  // The clock was ahead when the report came: the debt stays as long as it was.
  const CounterState healed = Healed(policy, debt, At(kStartNs - kHourNs));
  EXPECT_EQ(debt.anchor_ns - healed.anchor_ns, kHourNs);
}

TEST(LimitHealed, AStateOfThePresentStaysAsItIs) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (int algorithm = 0; algorithm < 4; ++algorithm) {
      SCOPED_TRACE(seed);
      Dice dice(seed);
      const Policy policy = WithAlgorithm(algorithm, dice.AnyPolicy());
      CounterState state;
      int64_t now = kStartNs;
      for (int i = 0; i < 30; ++i) {
        EXPECT_EQ(Healed(policy, state, At(now)), state);
        // Within the tolerance.
        EXPECT_EQ(Healed(policy, state, At(now - kClockToleranceNs)), state);
        const ChargeKind kind =
            dice.OneIn(4) ? ChargeKind::kReport : ChargeKind::kEnforce;
        state = Judge(policy, state, kind, 1 + dice.Below(20), At(now)).after;
        now += dice.AnyPause(WindowNs(policy));
      }
    }
  }
}

// Healing is idempotent: stores may heal a state at each take.
TEST(LimitHealed, AHealedStateNeedsNoHealing) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    Dice dice(seed);
    Policy policy = WithAlgorithm(seed % 4, dice.AnyPolicy());
    policy.queue = seed % 8 == 4;
    const CounterState future{
        .anchor_ns = kStartNs + dice.Below(int64_t{1} << 60),
        .used = dice.Below(100),
        .carried = dice.OneIn(2) ? dice.Below(int64_t{1} << 50) : 0};
    const CounterState healed = Healed(policy, future, At(kStartNs));
    EXPECT_EQ(Healed(policy, healed, At(kStartNs)), healed);
    EXPECT_LE(Expiry(policy, healed),
              At(kStartNs) + 100 * policy.window + absl::Hours(24 * 366 * 37));
  }
}

}  // namespace
}  // namespace rls
