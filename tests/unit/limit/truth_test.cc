#include <cstdint>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"
#include "unit/limit/dice.h"

// The fields of an outcome come true.

namespace rls {
namespace {

struct Moment {
  CounterState state;
  int64_t now = 0;
};

// A counter at some point of a random history: all kinds of charge, refunds and
// reports, and a clock that never went backwards.
Moment AnyMoment(const Policy& policy, Dice& dice) {
  Moment moment;
  moment.now = kStartNs + dice.Below(WindowNs(policy));
  for (int64_t i = dice.Below(25); i > 0; --i) {
    const int64_t cost = dice.Below(Depth(policy) + 4) - 2;
    const ChargeKind kind =
        dice.OneIn(5) ? ChargeKind::kReport : ChargeKind::kEnforce;
    moment.state =
        Judge(policy, moment.state, kind, cost, At(moment.now)).after;
    moment.now += dice.AnyPause(WindowNs(policy));
  }
  return moment;
}

// Runs `check(policy, moment, dice)` for many random counters.
template <typename Check>
void ForManyCounters(const Check& check) {
  for (int seed = 0; seed < 4 * kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    const Policy policy = dice.AnyPolicy();
    const Moment moment = AnyMoment(policy, dice);
    check(policy, moment, dice);
    if (testing::Test::HasFailure()) return;
  }
}

Outcome Enforce(const Policy& policy, const CounterState& state, int64_t cost,
                int64_t now) {
  return Judge(policy, state, ChargeKind::kEnforce, cost, At(now)).outcome;
}

int64_t RemainingAt(const Policy& policy, const CounterState& state,
                    int64_t now) {
  return Judge(policy, state, ChargeKind::kPeek, 0, At(now)).outcome.remaining;
}

TEST(LimitTruth, ChargingWhatRemainsFitsAndOneMoreDoesNot) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice&) {
    const int64_t left = RemainingAt(policy, moment.state, moment.now);
    const Outcome all = Enforce(policy, moment.state, left, moment.now);
    // A counter past its limit (by a report) refuses even a look.
    EXPECT_TRUE(all.allowed || left == 0);
    EXPECT_EQ(all.remaining, 0);
    const Outcome more = Enforce(policy, moment.state, left + 1, moment.now);
    EXPECT_FALSE(more.allowed);
    EXPECT_EQ(more.remaining, left);
  });
}

TEST(LimitTruth, TheSameChargeFitsAtRetryAfterAndNotBefore) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    // Sometimes the clock has gone back since the last charge.
    const int64_t back =
        dice.OneIn(4) ? dice.AnyPause(WindowNs(policy)) : int64_t{0};
    const int64_t now = moment.now - back;
    const int64_t left = RemainingAt(policy, moment.state, now);
    const int64_t cost = left + 1 + dice.Below(Depth(policy) + 1);
    const Outcome refused = Enforce(policy, moment.state, cost, now);
    const auto fits_in = [&](int64_t wait_ns) {
      return Enforce(policy, moment.state, cost, now + wait_ns).allowed;
    };
    ASSERT_FALSE(refused.allowed);
    if (refused.retry_after == absl::InfiniteDuration()) {
      for (int n = 0; n < 60; ++n) {
        EXPECT_FALSE(fits_in(n * WindowNs(policy) / 4)) << n;
      }
      EXPECT_FALSE(fits_in(1000 * WindowNs(policy)));
      return;
    }
    const int64_t wait = absl::ToInt64Nanoseconds(refused.retry_after);
    EXPECT_TRUE(fits_in(wait));
    EXPECT_FALSE(fits_in(wait - 1));
    for (int n = 0; n < 16; ++n) {
      EXPECT_FALSE(fits_in(wait / 16 * n)) << n;
    }
  });
}

TEST(LimitTruth, LooksAndRefusalsLeaveTheCounterAsItWas) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    const int64_t left = RemainingAt(policy, moment.state, moment.now);
    const auto after = [&](ChargeKind kind, int64_t cost) {
      return Judge(policy, moment.state, kind, cost, At(moment.now)).after;
    };
    EXPECT_EQ(after(ChargeKind::kPeek, dice.Below(100)), moment.state);
    EXPECT_EQ(after(ChargeKind::kEnforce, 0), moment.state);
    EXPECT_EQ(after(ChargeKind::kEnforce, left + 1), moment.state);
    EXPECT_EQ(after(ChargeKind::kObserve, left + 1), moment.state);
  });
}

TEST(LimitTruth, AnObservedChargeIsJudgedAsAnEnforcedOne) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    const int64_t cost = dice.Below(Depth(policy) + 3) - 1;
    const Transition enforced =
        Judge(policy, moment.state, ChargeKind::kEnforce, cost, At(moment.now));
    const Transition observed =
        Judge(policy, moment.state, ChargeKind::kObserve, cost, At(moment.now));
    EXPECT_EQ(observed.after, enforced.after);
    EXPECT_EQ(observed.outcome.allowed, enforced.outcome.allowed);
    EXPECT_EQ(observed.outcome.remaining, enforced.outcome.remaining);
    EXPECT_EQ(observed.outcome.retry_after, enforced.outcome.retry_after);
  });
}

TEST(LimitTruth, AnExpiredCounterIsJudgedAsANewOne) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    const absl::Time expiry = Expiry(policy, moment.state);
    if (moment.state == CounterState()) return;
    EXPECT_LE(expiry, At(moment.now) + 100 * policy.window);
    for (int i = 0; i < 8; ++i) {
      const absl::Time now =
          i == 0 ? expiry
                 : expiry + absl::Nanoseconds(dice.AnyPause(WindowNs(policy)));
      const int64_t cost = dice.Below(Depth(policy) + 3) - 1;
      const Transition expired =
          Judge(policy, moment.state, ChargeKind::kEnforce, cost, now);
      const Transition fresh =
          Judge(policy, {}, ChargeKind::kEnforce, cost, now);
      EXPECT_EQ(expired.outcome.allowed, fresh.outcome.allowed);
      EXPECT_EQ(expired.outcome.remaining, fresh.outcome.remaining);
      EXPECT_EQ(expired.outcome.reset_after, fresh.outcome.reset_after);
      EXPECT_EQ(expired.outcome.retry_after, fresh.outcome.retry_after);
      // Later charges are judged alike too.
      const int64_t later = absl::ToUnixNanos(now + policy.window);
      EXPECT_EQ(RemainingAt(policy, expired.after, later),
                RemainingAt(policy, fresh.after, later));
    }
  });
}

TEST(LimitTruth, AFullBucketIsFullAtResetAfterAndNotBefore) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice&) {
    if (policy.algorithm != Algorithm::kTokenBucket || policy.limit == 0) {
      return;
    }
    const int64_t reset = absl::ToInt64Nanoseconds(
        Enforce(policy, moment.state, 0, moment.now).reset_after);
    const int64_t full = moment.now + reset;
    EXPECT_EQ(RemainingAt(policy, moment.state, full), policy.burst + 1);
    if (reset > 0) {
      EXPECT_LE(RemainingAt(policy, moment.state, full - 1), policy.burst);
    }
  });
}

TEST(LimitRefund, GivesBackNoMoreThanWasUsed) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    const int64_t before = RemainingAt(policy, moment.state, moment.now);
    const int64_t back = 1 + dice.Below(2 * Depth(policy) + 1);
    const Transition refund = Judge(policy, moment.state, ChargeKind::kEnforce,
                                    -back, At(moment.now));
    EXPECT_TRUE(refund.outcome.allowed);
    EXPECT_GE(refund.after.used, 0);
    EXPECT_GE(refund.outcome.remaining, before);
    EXPECT_LE(refund.outcome.remaining, before + back);
    EXPECT_LE(refund.outcome.remaining, Depth(policy));
    EXPECT_EQ(RemainingAt(policy, refund.after, moment.now),
              refund.outcome.remaining);
  });
}

TEST(LimitRefund, UndoesTheChargeAndNeverMore) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    const int64_t before = RemainingAt(policy, moment.state, moment.now);
    if (before == 0) return;
    const int64_t cost = 1 + dice.Below(before);
    CounterState state = moment.state;
    for (const int64_t amount : {cost, -cost}) {
      state = Judge(policy, state, ChargeKind::kEnforce, amount, At(moment.now))
                  .after;
    }
    const int64_t after = RemainingAt(policy, state, moment.now);
    // A bucket rounds charges up and refunds down to whole nanoseconds.
    const bool bucket = policy.algorithm == Algorithm::kTokenBucket;
    EXPECT_LE(after, before);
    EXPECT_GE(after, bucket ? before - 1 : before);
  });
}

TEST(LimitTruth, AnEarlierTimeNeverHasMoreLeft) {
  ForManyCounters([](const Policy& policy, const Moment& moment, Dice& dice) {
    if (moment.state == CounterState()) return;
    const int64_t there = moment.state.anchor_ns;
    const int64_t earlier = there - dice.AnyPause(WindowNs(policy));
    EXPECT_LE(RemainingAt(policy, moment.state, earlier),
              RemainingAt(policy, moment.state, there));
  });
}

}  // namespace
}  // namespace rls
