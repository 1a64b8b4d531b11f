#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"
#include "unit/limit/table.h"

namespace rls {
namespace {

using absl::Seconds;

class SlidingWindowTable : public LimitTableTest {
 protected:
  SlidingWindowTable() {
    policy_ = {.algorithm = Algorithm::kSlidingWindow, .limit = 10};
  }
};

// Used units count until the next window ends.
TEST_F(SlidingWindowTable, ResetsWhenAllUsedUnitsHaveFaded) {
  Play({
      Peek(Seconds(10), 10, Seconds(50)),
      Ok(Seconds(20), 4, 6, Seconds(100)),
      Peek(Seconds(75), 7, Seconds(45)),
      Peek(Seconds(120), 10, Seconds(60)),
  });
}

TEST_F(SlidingWindowTable, ThePreviousWindowCountsByTheShareThatHasNotFaded) {
  Play({
      Ok(Seconds(0), 10, 0, Seconds(120)),
      Over(Seconds(60), 1, 0, {Seconds(60), Seconds(6)}),
      Ok(Seconds(66), 1, 0, Seconds(114)),
      Ok(Seconds(90), 4, 0, Seconds(90)),
      Over(Seconds(90), 1, 0, {Seconds(90), Seconds(6)}),
  });
}

TEST_F(SlidingWindowTable, RetryAfterLooksIntoTheWindowsThatFollow) {
  Play({
      Ok(Seconds(0), 10, 0, Seconds(120)),
      Ok(Seconds(90), 5, 0, Seconds(90)),
      Over(Seconds(90), 5, 0, {Seconds(90), Seconds(30)}),
      Over(Seconds(90), 6, 0, {Seconds(90), Seconds(42)}),
      Over(Seconds(90), 10, 0, {Seconds(90), Seconds(90)}),
      Over(Seconds(90), 11, 0, {Seconds(90), kNever}),
      Ok(Seconds(180), 10, 0, Seconds(120)),
  });
}

TEST_F(SlidingWindowTable, AFractionOfAUnitCountsAsAWholeUnit) {
  policy_.limit = 3;
  Play({
      Ok(Seconds(0), 3, 0, Seconds(120)),
      Over(Seconds(61), 1, 0, {Seconds(59), Seconds(19)}),
      Over(Seconds(80) - absl::Nanoseconds(1), 1, 0,
           {Seconds(40) + absl::Nanoseconds(1), absl::Nanoseconds(1)}),
      Ok(Seconds(80), 1, 0, Seconds(100)),
  });
}

TEST_F(SlidingWindowTable, TwoWindowsLaterAllIsForgotten) {
  Play({
      Ok(Seconds(59), 10, 0, Seconds(61)),
      Ok(Seconds(120), 10, 0, Seconds(120)),
  });
}

TEST_F(SlidingWindowTable, ABurstIsNotUsed) {
  policy_.burst = 5;
  Play({
      Ok(Seconds(0), 10, 0, Seconds(120)),
      Over(Seconds(0), 1, 0, {Seconds(120), Seconds(66)}),
  });
}

TEST_F(SlidingWindowTable, RefundsAndReportsCountInTheirOwnWindow) {
  Play({
      Ok(Seconds(0), -5, 10, Seconds(60)),
      Report(Seconds(0), 8, 2, Seconds(120)),
      Report(Seconds(0), 4, 0, Seconds(120)),
      Ok(Seconds(1), -2, 0, Seconds(119)),
      Ok(Seconds(2), -4, 4, Seconds(118)),
      Ok(Seconds(3), -100, 10, Seconds(57)),
  });
}

TEST_F(SlidingWindowTable, AnEarlierTimeIsTakenAsTheStartOfTheWindow) {
  Play({
      Ok(Seconds(0), 4, 6, Seconds(120)),
      Ok(Seconds(90), 1, 7, Seconds(90)),
      Peek(Seconds(30), 5, Seconds(150)),
  });
}

}  // namespace
}  // namespace rls
