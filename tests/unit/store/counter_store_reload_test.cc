// The cases of the contract in which the limit of a counter changes, as by a
// reload. They run with the stores of counter_store_contract_test.cc.

#include <gtest/gtest.h>

#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

Policy QueuedPer10Seconds(int64_t limit) {
  return {.limit = limit, .window = absl::Seconds(10), .queue = true};
}

TEST_P(CounterStoreTest, AChangedLimitCountsUsedUnits) {
  TakeOne({.policy = PerMinute(10), .cost = 4});
  EXPECT_FALSE(TakeOne({.policy = PerMinute(3)}).allowed);
  EXPECT_EQ(TakeOne({.policy = PerMinute(6)}).remaining, 1);
}

// A counter without a burst keeps nothing when its window is over.
TEST_P(CounterStoreTest, ABurstAddedAfterTheWindowFindsNothingBanked) {
  Policy policy = PerMinute(5);
  TakeOne({.policy = policy});
  Pass(absl::Minutes(1));
  policy.burst = 2;
  EXPECT_EQ(TakeOne({.policy = policy}).remaining, 4);
  Pass(absl::Minutes(1));
  EXPECT_EQ(TakeOne({.policy = policy}).remaining, 6);
}

// The counter's time to live comes from the limit that booked, and ends at that
// moment. A changed limit finds an empty counter, even if by that limit units
// would still wait or be banked.
TEST_P(CounterStoreTest, ALimitChangedAfterTheBookedWindowsFindsNothing) {
  Policy fewer = QueuedPer10Seconds(1);
  Policy banking = QueuedPer10Seconds(9);
  banking.burst = 5;
  const Booking patient{.max_wait = absl::Seconds(10), .max_queued = 5};
  const auto book = [&](const char* key) {
    const Outcome booked =
        Take({{.key = key, .policy = QueuedPer10Seconds(5), .cost = 5},
              {.key = key,
               .policy = QueuedPer10Seconds(5),
               .cost = 5,
               .booking = patient}})[1];
    EXPECT_EQ(booked.wait, absl::Seconds(10));
  };
  book("fewer");
  book("banking");
  Pass(absl::Seconds(20));
  EXPECT_EQ(TakeOne({.key = "fewer", .policy = fewer}).reset_after,
            absl::Seconds(10));
  EXPECT_EQ(TakeOne({.key = "banking", .policy = banking}).remaining, 8);
}

// By the first charge alone, the counter would be forgotten while units still
// wait for the slots that the second charge has booked.
TEST_P(CounterStoreTest, ACounterLivesAsLongAsTheLastChargeOfATakeSays) {
  const Booking patient{.max_wait = absl::Minutes(1), .max_queued = 9};
  const auto outcomes =
      Take({{.policy = QueuedPer10Seconds(5), .cost = 5},
            {.policy = QueuedPer10Seconds(1), .booking = patient}});
  EXPECT_EQ(outcomes[1].wait, absl::Seconds(50));
  Pass(absl::Seconds(20));
  EXPECT_FALSE(TakeOne({.policy = QueuedPer10Seconds(1)}).allowed);
}

}  // namespace
}  // namespace rls
