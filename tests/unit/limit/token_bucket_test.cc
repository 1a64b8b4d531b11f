#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"
#include "unit/limit/table.h"

namespace rls {
namespace {

using absl::Seconds;

class TokenBucketTable : public LimitTableTest {
 protected:
  // One unit every ten seconds, at most three at once.
  TokenBucketTable() {
    policy_ = {.algorithm = Algorithm::kTokenBucket, .limit = 6, .burst = 2};
  }
};

TEST_F(TokenBucketTable, BurstAndOneAtOnceThenAnEvenPace) {
  Play({
      Peek(Seconds(0), 3, Seconds(0)),
      Ok(Seconds(0), 1, 2, Seconds(10)),
      Ok(Seconds(0), 1, 1, Seconds(20)),
      Ok(Seconds(0), 1, 0, Seconds(30)),
      Over(Seconds(0), 1, 0, {Seconds(30), Seconds(10)}),
      Over(Seconds(10) - absl::Nanoseconds(1), 1, 0,
           {Seconds(20) + absl::Nanoseconds(1), absl::Nanoseconds(1)}),
      Ok(Seconds(10), 1, 0, Seconds(30)),
      Over(Seconds(15), 1, 0, {Seconds(25), Seconds(5)}),
      Ok(Seconds(50), 3, 0, Seconds(30)),
  });
}

TEST_F(TokenBucketTable, ACostDeeperThanTheBucketNeverFits) {
  Play({
      Over(Seconds(0), 4, 3, {Seconds(0), kNever}),
      Ok(Seconds(0), 1, 2, Seconds(10)),
      Over(Seconds(0), 4, 2, {Seconds(10), kNever}),
      Over(Seconds(0), 3, 2, {Seconds(10), Seconds(10)}),
  });
}

TEST_F(TokenBucketTable, ARefundNeverOverfillsTheBucket) {
  Play({
      Ok(Seconds(0), -1, 3, Seconds(0)),
      Ok(Seconds(0), 2, 1, Seconds(20)),
      Ok(Seconds(0), -1, 2, Seconds(10)),
      Ok(Seconds(0), -100, 3, Seconds(0)),
      Ok(Seconds(0), 3, 0, Seconds(30)),
      Over(Seconds(0), 1, 0, {Seconds(30), Seconds(10)}),
  });
}

TEST_F(TokenBucketTable, AReportPastTheDepthIsADebt) {
  Play({
      Report(Seconds(0), 5, 0, Seconds(50)),
      Over(Seconds(0), 1, 0, {Seconds(50), Seconds(30)}),
      Over(Seconds(29), 1, 0, {Seconds(21), Seconds(1)}),
      Ok(Seconds(30), 1, 0, Seconds(30)),
  });
}

TEST_F(TokenBucketTable, AnEarlierTimeHasNothingMoreLeft) {
  Play({
      Ok(Seconds(60), 1, 2, Seconds(10)),
      Over(Seconds(0), 1, 0, {Seconds(70), Seconds(50)}),
      Ok(Seconds(60), 2, 0, Seconds(30)),
  });
}

TEST_F(TokenBucketTable, AChangedLimitChangesThePace) {
  Play({Ok(Seconds(0), 3, 0, Seconds(30))});
  policy_.limit = 12;
  Play({
      Over(Seconds(10), 1, 0, {Seconds(20), Seconds(10)}),
      Ok(Seconds(20), 1, 0, Seconds(15)),
      Over(Seconds(20), 1, 0, {Seconds(15), Seconds(5)}),
  });
}

// A unit takes a third of a nanosecond. It is rounded up, never to zero.
TEST_F(TokenBucketTable, RoundingNeverFreesQuota) {
  policy_.limit = 3'000'000'000;
  policy_.burst = 9;
  policy_.window = Seconds(1);
  int admitted = 0;
  for (int i = 0; i < 50; ++i) {
    const Transition transition =
        Judge(policy_, state_, ChargeKind::kEnforce, 1, kStart);
    state_ = transition.after;
    admitted += transition.outcome.allowed ? 1 : 0;
  }
  EXPECT_GE(admitted, 1);
  EXPECT_LE(admitted, 10);
}

}  // namespace
}  // namespace rls
