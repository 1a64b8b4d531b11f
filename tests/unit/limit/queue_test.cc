// Charges that wait for units of a later time: tables of bookings, and random
// histories that must never promise more than the limit.

#include <algorithm>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"
#include "unit/limit/dice.h"
#include "unit/limit/table.h"

namespace rls {
namespace {

using absl::Seconds;

constexpr int64_t kPlenty = 1'000'000;

class QueueTest : public testing::Test {
 protected:
  Outcome Take(absl::Duration at, int64_t cost = 1) {
    const Transition transition = Judge(policy_, state_, ChargeKind::kEnforce,
                                        cost, kStart + at, &booking_);
    state_ = transition.after;
    return transition.outcome;
  }
  // The waits of `count` charges in a row, all allowed.
  std::vector<absl::Duration> Waits(absl::Duration at, int count) {
    std::vector<absl::Duration> waits;
    for (int i = 0; i < count; ++i) {
      const Outcome outcome = Take(at);
      EXPECT_TRUE(outcome.allowed) << i;
      waits.push_back(outcome.wait);
    }
    return waits;
  }
  void GiveBack(absl::Duration at, absl::Time slot, int64_t cost = 1) {
    const Booking back{.slot = slot};
    state_ =
        Judge(policy_, state_, ChargeKind::kEnforce, -cost, kStart + at, &back)
            .after;
  }

  // The free tier of the recipe (docs/TIERS.md).
  Policy policy_{.limit = 5, .burst = 2, .queue = true};
  Booking booking_{.max_wait = absl::Minutes(10), .max_queued = kPlenty};
  CounterState state_;
};

using Durations = std::vector<absl::Duration>;

TEST_F(QueueTest, TwelveAtOnceTakeThreeWindowsInOrder) {
  const absl::Duration now, next = Seconds(50), third = Seconds(110);
  EXPECT_EQ(Waits(Seconds(10), 12),
            (Durations{now, now, now, now, now, next, next, next, next, next,
                       third, third}));
}

TEST_F(QueueTest, BookedUnitsAreUsedWhenTheirWindowBegins) {
  Waits(Seconds(10), 8);
  const Outcome first = Take(Seconds(60));
  EXPECT_EQ(first.wait, absl::ZeroDuration());
  EXPECT_EQ(first.remaining, 1);
  EXPECT_EQ(Waits(Seconds(61), 2), (Durations{Seconds(0), Seconds(59)}));
}

TEST_F(QueueTest, NothingPassesAChargeThatWaits) {
  Waits(Seconds(0), 4);
  EXPECT_EQ(Take(Seconds(1), 2).wait, Seconds(59));
  // One unit of the first window is lost: later charges wait too.
  EXPECT_EQ(Take(Seconds(2)).wait, Seconds(58));
}

TEST_F(QueueTest, TheLastWindowThatMayBeBookedIsFilledAndNoLaterOne) {
  policy_ = {.limit = 1, .window = Seconds(1), .queue = true};
  booking_.max_wait = kMaxBookingWait;
  state_ =
      Judge(policy_, {}, ChargeKind::kReport, kMaxBookedWindows, kStart).after;
  const Outcome last = Take(Seconds(0));
  EXPECT_TRUE(last.allowed);
  EXPECT_EQ(last.wait, Seconds(kMaxBookedWindows));
  EXPECT_FALSE(Take(Seconds(0)).allowed);
}

TEST_F(QueueTest, ALoweredLimitWithTooManyBookedWindowsAdmitsNothing) {
  policy_ = {.limit = 10'000, .window = Seconds(1), .queue = true};
  booking_.max_wait = kMaxBookingWait;
  state_ = Judge(policy_, {}, ChargeKind::kReport, 10'000, kStart).after;
  policy_.limit = 1;
  EXPECT_FALSE(Take(Seconds(0)).allowed);
  EXPECT_EQ(state_.used, 10'000);
}

TEST_F(QueueTest, AChargeNeverStraddlesTwoWindows) {
  policy_ = {.limit = 5, .queue = true};
  EXPECT_EQ(Take(Seconds(0), 5).wait, Seconds(0));
  EXPECT_EQ(Take(Seconds(0), 3).wait, Seconds(60));
  EXPECT_EQ(Take(Seconds(0), 3).wait, Seconds(120));
  EXPECT_EQ(Take(Seconds(0), 2).wait, Seconds(120));
  EXPECT_EQ(Take(Seconds(0), 1).wait, Seconds(180));
}

TEST_F(QueueTest, TheBankIsSpentBeforeAChargeWaits) {
  EXPECT_EQ(Take(Seconds(0)).wait, Seconds(0));
  const Durations waits = Waits(Seconds(60), 13);
  EXPECT_EQ(waits[6], Seconds(0));
  EXPECT_EQ(waits[7], Seconds(60));
  EXPECT_EQ(waits[11], Seconds(60));
  EXPECT_EQ(waits[12], Seconds(120));
}

TEST_F(QueueTest, AnUpfrontBurstIsThereInEveryWindow) {
  policy_.burst_mode = BurstMode::kUpfront;
  const Durations waits = Waits(Seconds(0), 15);
  EXPECT_EQ(waits[6], Seconds(0));
  EXPECT_EQ(waits[13], Seconds(60));
  EXPECT_EQ(waits[14], Seconds(120));
}

TEST_F(QueueTest, AQueueThatHasDrainedBanksAgain) {
  Waits(Seconds(0), 12);
  // The third window used two of five.
  const Durations waits = Waits(Seconds(180), 8);
  EXPECT_EQ(waits[6], Seconds(0));
  EXPECT_EQ(waits[7], Seconds(60));
}

TEST_F(QueueTest, AChargeThatCannotWaitThatLongBooksNothing) {
  Waits(Seconds(0), 10);
  booking_.max_wait = Seconds(100);
  const Outcome refused = Take(Seconds(5));
  EXPECT_FALSE(refused.allowed);
  EXPECT_FALSE(refused.crowded);
  EXPECT_EQ(refused.remaining, 0);
  EXPECT_EQ(refused.retry_after, Seconds(15));
  EXPECT_EQ(refused.reset_after, Seconds(115));
  booking_.max_wait = Seconds(115);
  EXPECT_EQ(Waits(Seconds(5), 2), (Durations{Seconds(115), Seconds(115)}));
}

TEST_F(QueueTest, AChargeThatCannotWaitDoesNotPassTheQueue) {
  Waits(Seconds(0), 6);
  const Transition transition =
      Judge(policy_, state_, ChargeKind::kEnforce, 1, kStart + Seconds(1));
  EXPECT_FALSE(transition.outcome.allowed);
  EXPECT_EQ(transition.outcome.retry_after, Seconds(59));
  EXPECT_EQ(transition.after, state_);
}

TEST_F(QueueTest, TooManyAreRefusedAsCrowded) {
  booking_.max_queued = 3;
  Waits(Seconds(0), 8);
  const Outcome refused = Take(Seconds(1));
  EXPECT_FALSE(refused.allowed);
  EXPECT_TRUE(refused.crowded);
  EXPECT_EQ(refused.retry_after, Seconds(59));
}

TEST_F(QueueTest, AChargeThatCanNeverFitIsRefused) {
  const Outcome refused = Take(Seconds(0), 6);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, absl::InfiniteDuration());
  policy_.limit = 0;
  policy_.burst = 0;
  EXPECT_EQ(Take(Seconds(0)).retry_after, absl::InfiniteDuration());
}

TEST_F(QueueTest, TheLastSlotCanBeGivenBack) {
  Waits(Seconds(0), 5);
  const absl::Time slot = Take(Seconds(0)).slot;
  GiveBack(Seconds(1), slot);
  EXPECT_EQ(Waits(Seconds(2), 6)[4], Seconds(58));
}

TEST_F(QueueTest, AHoleBeforeOtherSlotsIsNotTakenTwice) {
  Waits(Seconds(0), 5);
  const absl::Time early = Take(Seconds(0)).slot;
  EXPECT_EQ(Waits(Seconds(0), 5)[4], Seconds(120));
  const CounterState before = state_;
  GiveBack(Seconds(1), early);
  EXPECT_EQ(state_, before);
}

TEST_F(QueueTest, ARefundWithoutASlotLetsNoChargePass) {
  Waits(Seconds(0), 6);
  state_ = Judge(policy_, state_, ChargeKind::kEnforce, -1, kStart).after;
  EXPECT_EQ(Take(Seconds(0)).wait, Seconds(60));
}

TEST_F(QueueTest, AnEmptyBucketWithoutAQueueTakesARefundWithoutASlot) {
  policy_.algorithm = Algorithm::kTokenBucket;
  Waits(Seconds(0), 3);
  state_ = Judge(policy_, state_, ChargeKind::kEnforce, -1, kStart).after;
  EXPECT_EQ(Take(Seconds(0)).wait, Seconds(0));
}

TEST_F(QueueTest, AReportPastTheLimitIsPaidOffByLaterWindows) {
  state_ = Judge(policy_, state_, ChargeKind::kReport, 12, kStart).after;
  EXPECT_EQ(Take(Seconds(0)).wait, Seconds(120));
  state_ =
      Judge(policy_, state_, ChargeKind::kReport, kMaxAmount, kStart).after;
  EXPECT_FALSE(Take(Seconds(0)).allowed);
  EXPECT_LE(Expiry(policy_, state_), kStart + absl::Hours(26));
}

TEST_F(QueueTest, ALookIsRefusedWhileAChargeWaits) {
  Waits(Seconds(0), 11);
  const Outcome look =
      Judge(policy_, state_, ChargeKind::kPeek, 0, kStart + Seconds(1)).outcome;
  EXPECT_FALSE(look.allowed);
  EXPECT_EQ(look.retry_after, Seconds(119));
}

TEST_F(QueueTest, ABucketPacesEvenly) {
  policy_.algorithm = Algorithm::kTokenBucket;
  policy_.burst = 0;
  EXPECT_EQ(Waits(Seconds(0), 4),
            (Durations{Seconds(0), Seconds(12), Seconds(24), Seconds(36)}));
  booking_.max_wait = Seconds(30);
  const Outcome refused = Take(Seconds(1));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, Seconds(17));
  booking_ = {.max_wait = absl::Minutes(5), .max_queued = 3};
  EXPECT_TRUE(Take(Seconds(1)).crowded);
  EXPECT_EQ(Take(Seconds(12)).wait, Seconds(36));
}

TEST_F(QueueTest, MaxQueuedOfABucketIsExactDespiteRounding) {
  policy_ = {.algorithm = Algorithm::kTokenBucket, .limit = 7, .queue = true};
  booking_.max_queued = 3;
  EXPECT_EQ(Waits(Seconds(0), 4).size(), 4u);
  EXPECT_TRUE(Take(Seconds(0)).crowded);
}

TEST_F(QueueTest, ABucketTakesBackItsLastSlotOnly) {
  policy_.algorithm = Algorithm::kTokenBucket;
  policy_.burst = 0;
  Waits(Seconds(0), 1);
  const absl::Time second = Take(Seconds(0)).slot;
  const absl::Time third = Take(Seconds(0)).slot;
  GiveBack(Seconds(1), second);
  EXPECT_EQ(Take(Seconds(1)).wait, Seconds(35));
  GiveBack(Seconds(1), third);
  EXPECT_EQ(Take(Seconds(1)).wait, Seconds(47));
  GiveBack(Seconds(2), state_.anchor_ns > 0
                           ? absl::FromUnixNanos(state_.anchor_ns)
                           : third);
  EXPECT_EQ(Take(Seconds(2)).wait, Seconds(46));
}

struct Served {
  int64_t at_ns = 0;
  int64_t cost = 0;
  absl::Time slot;
};

// A random history: charges that wait or do not, and refunds of any slot that
// is still ahead. Returns the charges that are served in the end.
std::vector<Served> PlayQueued(const Policy& policy, Dice& dice) {
  std::vector<Served> served;
  CounterState state;
  int64_t now = kStartNs + dice.Below(WindowNs(policy));
  for (int i = 0; i < 80; ++i) {
    if (!dice.OneIn(3)) now += dice.AnyPause(WindowNs(policy));
    if (dice.OneIn(4) && !served.empty() && served.back().at_ns > now) {
      const size_t which =
          dice.OneIn(2) ? served.size() - 1
                        : static_cast<size_t>(
                              dice.Below(static_cast<int64_t>(served.size())));
      const Served gone = served[which];
      if (gone.at_ns <= now) continue;
      served.erase(served.begin() + static_cast<std::ptrdiff_t>(which));
      const Booking back{.slot = gone.slot};
      state =
          Judge(policy, state, ChargeKind::kEnforce, -gone.cost, At(now), &back)
              .after;
      continue;
    }
    const Booking booking{
        .max_wait = absl::Nanoseconds(dice.Below(4 * WindowNs(policy))),
        .max_queued = 1 + dice.Below(30)};
    const int64_t cost = dice.OneIn(2) ? 1 : 1 + dice.Below(Depth(policy) + 1);
    const Transition transition =
        Judge(policy, state, ChargeKind::kEnforce, cost, At(now), &booking);
    state = transition.after;
    const Outcome& outcome = transition.outcome;
    EXPECT_GE(outcome.wait, absl::ZeroDuration());
    if (!outcome.allowed) {
      EXPECT_GT(outcome.retry_after, absl::ZeroDuration());
      continue;
    }
    EXPECT_LE(outcome.wait, booking.max_wait);
    const int64_t at = now + absl::ToInt64Nanoseconds(outcome.wait);
    if (!served.empty()) {
      EXPECT_GE(at, served.back().at_ns) << "overtaken";
    }
    served.push_back({at, cost, outcome.slot});
  }
  return served;
}

void ExpectPromiseHolds(const Policy& policy,
                        const std::vector<Served>& served) {
  const int64_t length = WindowNs(policy);
  const bool bucket = policy.algorithm == Algorithm::kTokenBucket;
  for (size_t first = 0; first < served.size(); ++first) {
    int64_t sum = 0;
    for (size_t last = first; last < served.size(); ++last) {
      sum += served[last].cost;
      const int64_t windows =
          bucket
              ? (served[last].at_ns - served[first].at_ns) / length + 1
              : served[last].at_ns / length - served[first].at_ns / length + 1;
      if (bucket && windows > 1) break;
      const int64_t bursts =
          policy.burst_mode == BurstMode::kUpfront && !bucket ? windows : 1;
      ASSERT_LE(sum, windows * policy.limit + bursts * policy.burst)
          << first << " to " << last;
    }
  }
}

TEST(QueuePropertyTest, NoHistoryPromisesMoreThanTheLimit) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    Policy policy = dice.AnyPolicy();
    if (policy.algorithm == Algorithm::kSlidingWindow) {
      policy.algorithm = Algorithm::kFixedWindow;
    }
    policy.queue = true;
    ExpectPromiseHolds(policy, PlayQueued(policy, dice));
    if (testing::Test::HasFailure()) return;
  }
}

// With any bookings, the state may be forgotten at its expiry, and not earlier.
TEST(QueuePropertyTest, AStateThatHasExpiredIsAsGoodAsNew) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    Policy policy = dice.AnyPolicy();
    policy.algorithm =
        dice.OneIn(2) ? Algorithm::kFixedWindow : Algorithm::kTokenBucket;
    policy.queue = true;
    const Booking booking{.max_wait = absl::Hours(24), .max_queued = kPlenty};
    CounterState state;
    const int64_t now = kStartNs + dice.Below(WindowNs(policy));
    for (int i = 0; i < 30; ++i) {
      state = Judge(policy, state, ChargeKind::kEnforce, 1 + dice.Below(3),
                    At(now), &booking)
                  .after;
    }
    const absl::Time later = std::max(Expiry(policy, state), At(now));
    const Transition old =
        Judge(policy, state, ChargeKind::kEnforce, 1, later, &booking);
    const Transition fresh =
        Judge(policy, {}, ChargeKind::kEnforce, 1, later, &booking);
    EXPECT_EQ(old.outcome.allowed, fresh.outcome.allowed);
    EXPECT_EQ(old.outcome.wait, fresh.outcome.wait);
    EXPECT_EQ(old.outcome.remaining, fresh.outcome.remaining);
  }
}

}  // namespace
}  // namespace rls
