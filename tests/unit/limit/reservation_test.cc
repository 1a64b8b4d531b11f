// The life of a reservation, by the arithmetic alone.

#include "limit/reservation.h"

#include <gtest/gtest.h>

#include <vector>

#include "limit/judge.h"

namespace rls {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'002'800);

// The counter of one request id.
class ReservationTest : public ::testing::Test {
 protected:
  bool Reserve(int64_t estimate) {
    return Take(ReservingCharge(policy_, {}, estimate)).allowed;
  }
  Reservation Settle() {
    std::vector<Outcome> outcomes;
    for (const Charge& charge : ChargesToSettle(policy_, {})) {
      outcomes.push_back(Take(charge));
    }
    return FoundReservation(policy_, outcomes);
  }
  Outcome Take(const Charge& charge) {
    const Transition judged =
        Judge(*charge.policy, state_, charge.kind, charge.cost, now_);
    state_ = judged.after;
    return judged.outcome;
  }

  const Policy policy_ = ReservationPolicy(absl::Minutes(10));
  CounterState state_;
  absl::Time now_ = kStart;
};

TEST_F(ReservationTest, IsFoundOnceWithItsEstimateAndTime) {
  for (const int64_t estimate : {int64_t{0}, int64_t{1}, kMaxEstimate}) {
    state_ = {};
    now_ = kStart;
    ASSERT_TRUE(Reserve(estimate));
    now_ += absl::Seconds(90);
    const Reservation found = Settle();
    EXPECT_EQ(found.state, Reservation::State::kReserved);
    EXPECT_EQ(found.estimate, estimate);
    EXPECT_EQ(found.made_at, kStart);
    EXPECT_EQ(found.now, now_);
    EXPECT_EQ(Settle().state, Reservation::State::kSettled);
    EXPECT_EQ(Settle().state, Reservation::State::kSettled);
  }
}

TEST_F(ReservationTest, AnUnreservedIdIsUnknownOnce) {
  EXPECT_EQ(Settle().state, Reservation::State::kUnknown);
  EXPECT_EQ(Settle().state, Reservation::State::kSettled);
}

TEST_F(ReservationTest, AnIdIsReservedOnceAtATime) {
  EXPECT_TRUE(Reserve(kMaxEstimate));
  EXPECT_FALSE(Reserve(0));
  EXPECT_EQ(Settle().estimate, kMaxEstimate);
  EXPECT_TRUE(Reserve(kMaxEstimate));
  EXPECT_FALSE(Reserve(0));
  EXPECT_EQ(Settle().estimate, kMaxEstimate);
}

TEST_F(ReservationTest, AChargeOfTheWholeLimitFitsWhenTheWindowIsOver) {
  ASSERT_TRUE(Take({.policy = &policy_}).allowed);
  const Outcome refused = Take({.policy = &policy_, .cost = policy_.limit});
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, absl::Minutes(10));
}

TEST_F(ReservationTest, IsUnknownAfterItsTtl) {
  Reserve(5);
  now_ += absl::Minutes(10);
  EXPECT_EQ(Settle().state, Reservation::State::kUnknown);
  now_ += absl::Minutes(10) - absl::Nanoseconds(1);
  EXPECT_EQ(Settle().state, Reservation::State::kSettled);
}

Reservation Reserved(int64_t estimate, absl::Duration age) {
  return {.state = Reservation::State::kReserved,
          .estimate = estimate,
          .made_at = kStart,
          .now = kStart + age};
}

TEST(CostToSettleTest, TheDifferenceIsDue) {
  const Policy policy{.limit = 100};
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(1)), 50), 20);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(1)), 30), 0);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(1)), 0), -30);
  EXPECT_EQ(CostToSettle(policy, {}, 50), 50);
  EXPECT_EQ(CostToSettle(policy, {.state = Reservation::State::kSettled}, 50),
            0);
}

TEST(CostToSettleTest, AWindowThatIsOverGivesNothingBack) {
  for (const Algorithm algorithm :
       {Algorithm::kFixedWindow, Algorithm::kSlidingWindow}) {
    const Policy policy{.algorithm = algorithm, .limit = 100};
    EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(59)), 10), -20);
    EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(60)), 10), 0);
    EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(60)), 40), 10);
  }
}

TEST(CostToSettleTest, ACalendarWindowEndsWithItsCalendar) {
  Policy policy{.calendar = Calendar::kDay, .limit = 100};
  ASSERT_TRUE(absl::LoadTimeZone("Asia/Kolkata", &policy.zone));
  const absl::Duration to_midnight =
      absl::FromCivil(absl::CivilDay(2023, 11, 16), policy.zone) - kStart;
  EXPECT_EQ(
      CostToSettle(policy, Reserved(30, to_midnight - absl::Seconds(1)), 0),
      -30);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, to_midnight), 0), 0);
}

// Without other charges, the bucket ends as if the actual cost had been
// charged.
TEST(CostToSettleTest, ABucketGivesBackUnitsThatStillCount) {
  const Policy policy{
      .algorithm = Algorithm::kTokenBucket, .limit = 60, .burst = 59};
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(0)), 10), -20);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(10)), 10), -20);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(25)), 10), -5);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Seconds(40)), 10), 0);
  EXPECT_EQ(CostToSettle(policy, Reserved(30, absl::Hours(999)), 40), 10);
}

}  // namespace
}  // namespace rls
