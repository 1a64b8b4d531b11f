// Limits with windows of one second, on a separate Redis.

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "support/wait_until.h"
#include "unit/store/counter_store_suite.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {
namespace {

class RedisPerSecondTest : public ::testing::Test {
 protected:
  static TestCharge PerSecond(int64_t limit) {
    return {.key = "second",
            .policy = {.limit = limit, .window = absl::Seconds(1)}};
  }
  static TestCharge PerMinuteOf(int64_t limit) {
    return {.key = "minute", .policy = PerMinute(limit)};
  }
  absl::StatusOr<std::vector<Outcome>> Take(
      const std::vector<TestCharge>& charges) {
    return TakeAndWait(*store_, charges, Accounting::kAllOrNothing,
                       absl::InfiniteFuture());
  }
  static int64_t Keys(const RedisProcess& redis) {
    return redis.Command({"DBSIZE"}).integer;
  }

  FakeClock clock_;
  RedisProcess rest_{{.clock = &clock_}};
  RedisProcess per_second_{{.clock = &clock_}};
  std::unique_ptr<TestRedisStore> store_ =
      NewReadyRedisStore(rest_, clock_, {.per_second = &per_second_});
};

TEST_F(RedisPerSecondTest, EachCounterIsOnItsOwnRedis) {
  EXPECT_TRUE(Take({PerSecond(5)}).ok());
  EXPECT_EQ(Keys(rest_), 0);
  EXPECT_EQ(Keys(per_second_), 1);
  EXPECT_TRUE(Take({PerMinuteOf(5)}).ok());
  EXPECT_EQ(Keys(rest_), 1);
  EXPECT_EQ(Keys(per_second_), 1);
}

TEST_F(RedisPerSecondTest, ATakeOnBothRedisesIsAllOrNothing) {
  for (const bool allowed : {true, false}) {
    const auto outcomes = Take({PerSecond(5), PerMinuteOf(1)});
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    EXPECT_EQ((*outcomes)[1].allowed, allowed);
    EXPECT_EQ((*outcomes)[0].remaining, 4);
  }
  for (const bool allowed : {true, false}) {
    clock_.Advance(absl::Minutes(1));
    const auto outcomes = Take({PerMinuteOf(5), PerSecond(allowed ? 1 : 0)});
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    EXPECT_EQ((*outcomes)[1].allowed, allowed);
    EXPECT_EQ((*outcomes)[0].remaining, allowed ? 4 : 5);
  }
}

TEST_F(RedisPerSecondTest, ALostRedisFailsOnlyItsOwnLimits) {
  per_second_.Kill();
  WaitUntil("a store that knows", [&] { return !store_->ready(); });
  EXPECT_TRUE(absl::IsUnavailable(Take({PerSecond(5)}).status()));
  EXPECT_TRUE(Take({PerMinuteOf(5)}).ok());
  EXPECT_TRUE(
      absl::IsUnavailable(Take({PerMinuteOf(5), PerSecond(5)}).status()));
  per_second_.Start();
  WaitUntil("an answer", [&] { return Take({PerSecond(5)}).ok(); });
  rest_.Kill();
  EXPECT_TRUE(Take({PerSecond(5)}).ok());
  rest_.Start();
}

// With the time limit of the other Redis, the take would wait an hour.
TEST_F(RedisPerSecondTest, ItsTimeLimitIsItsOwn) {
  const auto store =
      NewReadyRedisStore(rest_, clock_,
                         {.command_timeout = absl::Hours(1),
                          .per_second = &per_second_,
                          .per_second_timeout = absl::Milliseconds(50)});
  per_second_.Stop();
  EXPECT_TRUE(absl::IsUnavailable(TakeAndWait(*store, {PerSecond(5)},
                                              Accounting::kAllOrNothing,
                                              absl::InfiniteFuture())
                                      .status()));
  per_second_.Continue();
}

}  // namespace
}  // namespace rls
