#include "unit/limit/table.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"

namespace rls {
namespace {

using absl::Seconds;

class FixedWindowTable : public LimitTableTest {
 protected:
  // The free tier of the recipe (docs/TIERS.md).
  FixedWindowTable() { policy_ = {.limit = 5, .burst = 2}; }
};

TEST_F(FixedWindowTable, SixthRequestOfANewUserIsRefused) {
  Play({
      Ok(Seconds(0), 1, 4, Seconds(60)),
      Ok(Seconds(1), 1, 3, Seconds(59)),
      Ok(Seconds(2), 1, 2, Seconds(58)),
      Ok(Seconds(3), 1, 1, Seconds(57)),
      Ok(Seconds(4), 1, 0, Seconds(56)),
      Over(Seconds(5), 1, 0, {Seconds(55), Seconds(55)}),
      Ok(Seconds(60), 1, 4, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, WindowsAreAlignedToTheEpochAndNotToTheFirstRequest) {
  Play({
      Ok(Seconds(59), 5, 0, Seconds(1)),
      Over(Seconds(60) - absl::Nanoseconds(1), 1, 0,
           {absl::Nanoseconds(1), absl::Nanoseconds(1)}),
      Ok(Seconds(60), 5, 0, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, WindowsBeforeTheEpochAreAlignedToo) {
  const Outcome outcome = Judge(policy_, {}, ChargeKind::kEnforce, 1,
                                absl::UnixEpoch() - absl::Nanoseconds(1))
                              .outcome;
  EXPECT_EQ(outcome.reset_after, absl::Nanoseconds(1));
  EXPECT_EQ(outcome.remaining, 4);
}

TEST_F(FixedWindowTable, AUserWhoWasIdleForAMinuteMaySendLimitAndBurst) {
  Play({
      Ok(Seconds(0), 1, 4, Seconds(60)),
      Ok(Seconds(60), 7, 0, Seconds(60)),
      Over(Seconds(61), 1, 0, {Seconds(59), Seconds(59)}),
      Ok(Seconds(120), 5, 0, Seconds(60)),
      Over(Seconds(121), 1, 0, {Seconds(59), Seconds(59)}),
  });
}

TEST_F(FixedWindowTable, TheBankIsSpentAfterTheWindowsOwnQuota) {
  Play({
      Ok(Seconds(0), 3, 2, Seconds(60)),
      Ok(Seconds(60), 5, 2, Seconds(60)),
      Ok(Seconds(120), 6, 1, Seconds(60)),
      Ok(Seconds(180), 6, 0, Seconds(60)),
      Ok(Seconds(240), 5, 0, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, OnlyUnusedUnitsAreBanked) {
  Play({
      Ok(Seconds(0), 4, 1, Seconds(60)),
      Ok(Seconds(60), 5, 1, Seconds(60)),
      Ok(Seconds(61), 1, 0, Seconds(59)),
  });
}

TEST_F(FixedWindowTable, IdleWindowsAddUpToTheBurstAndNoFurther) {
  policy_ = {.limit = 2, .burst = 5};
  Play({
      Ok(Seconds(0), 1, 1, Seconds(60)),
      Peek(Seconds(60), 3, Seconds(60)),
      Peek(Seconds(120), 5, Seconds(60)),
      Peek(Seconds(180), 7, Seconds(60)),
      Peek(Seconds(240), 7, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, TheBankLapsesAfterTenIdleWindows) {
  Play({
      Ok(Seconds(0), 1, 4, Seconds(60)),
      Peek(Seconds(60 * 10), 7, Seconds(60)),
      Peek(Seconds(60 * 11) - absl::Nanoseconds(1), 7, absl::Nanoseconds(1)),
      Peek(Seconds(60 * 11), 5, Seconds(60)),
      Ok(Seconds(60 * 11), 5, 0, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, RetryAfterWaitsForTheBankToFill) {
  Play({
      Over(Seconds(0), 6, 5, {Seconds(60), kNever}),
      Ok(Seconds(0), 5, 0, Seconds(60)),
      Over(Seconds(1), 5, 0, {Seconds(59), Seconds(59)}),
      // The next window finds an empty bank, the one after it does not.
      Over(Seconds(1), 7, 0, {Seconds(59), Seconds(119)}),
      Over(Seconds(1), 8, 0, {Seconds(59), kNever}),
  });
}

TEST_F(FixedWindowTable, RetryAfterKnowsThatTheBankLapses) {
  policy_ = {.limit = 1, .burst = 20};
  Play({
      Ok(Seconds(0), 1, 0, Seconds(60)),
      Over(Seconds(0), 10, 0, {Seconds(60), Seconds(600)}),
      Over(Seconds(0), 11, 0, {Seconds(60), kNever}),
  });
}

TEST_F(FixedWindowTable, AChangedLimitTakesEffectAtTheNextRequest) {
  policy_.burst = 0;
  Play({Ok(Seconds(0), 5, 0, Seconds(60))});
  policy_.limit = 8;
  Play({Ok(Seconds(1), 1, 2, Seconds(59))});
  policy_.limit = 3;
  Play({
      Over(Seconds(2), 1, 0, {Seconds(58), Seconds(58)}),
      Ok(Seconds(60), 1, 2, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, ALoweredBurstTakesEffectAtTheNextRequest) {
  policy_.burst = 4;
  Play({
      Ok(Seconds(0), 1, 4, Seconds(60)),
      Ok(Seconds(60), 1, 8, Seconds(60)),
  });
  policy_.burst = 1;
  Play({Peek(Seconds(61), 5, Seconds(59))});
}

TEST_F(FixedWindowTable, AnUpfrontBurstIsThereInEveryWindow) {
  policy_.burst_mode = BurstMode::kUpfront;
  Play({
      Over(Seconds(0), 8, 7, {Seconds(60), kNever}),
      Ok(Seconds(0), 7, 0, Seconds(60)),
      Over(Seconds(1), 1, 0, {Seconds(59), Seconds(59)}),
      Ok(Seconds(60), 7, 0, Seconds(60)),
      Over(Seconds(61), 7, 0, {Seconds(59), Seconds(59)}),
      // No bank is added to it.
      Peek(Seconds(240), 7, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, ARefundNeverGoesBelowZero) {
  Play({
      Ok(Seconds(0), -5, 5, Seconds(60)),
      Ok(Seconds(0), 3, 2, Seconds(60)),
      Ok(Seconds(1), -1, 3, Seconds(59)),
      Ok(Seconds(2), -100, 5, Seconds(58)),
      Ok(Seconds(3), 5, 0, Seconds(57)),
      Over(Seconds(4), 1, 0, {Seconds(56), Seconds(56)}),
  });
}

TEST_F(FixedWindowTable, ARefundOfBankedUnitsFillsTheBankAgain) {
  Play({
      Ok(Seconds(0), 1, 4, Seconds(60)),
      Ok(Seconds(60), 7, 0, Seconds(60)),
      Ok(Seconds(61), -2, 2, Seconds(59)),
      Peek(Seconds(120), 7, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, AReportIsChargedPastTheLimit) {
  Play({
      Report(Seconds(0), 7, 0, Seconds(60)),
      Over(Seconds(1), 1, 0, {Seconds(59), Seconds(59)}),
      Ok(Seconds(2), -2, 0, Seconds(58)),
      Ok(Seconds(3), -1, 1, Seconds(57)),
      Report(Seconds(4), 3, 0, Seconds(56)),
      Ok(Seconds(60), 1, 4, Seconds(60)),
  });
}

TEST_F(FixedWindowTable, AReportPastTheLimitIsPaidFromTheBankFirst) {
  policy_.burst = 4;
  Play({
      Ok(Seconds(0), 1, 4, Seconds(60)),
      Report(Seconds(60), 6, 3, Seconds(60)),
      Peek(Seconds(120), 8, Seconds(60)),
  });
}

// The waits count from the earlier time, so that they are right there.
TEST_F(FixedWindowTable, AnEarlierTimeIsTakenAsTheStartOfTheWindow) {
  Play({
      Ok(Seconds(90), 2, 3, Seconds(30)),
      Ok(Seconds(10), 3, 0, Seconds(110)),
      Over(Seconds(-600), 1, 0, {Seconds(720), Seconds(720)}),
  });
}

}  // namespace
}  // namespace rls
