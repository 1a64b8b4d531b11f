// A test can set the clock of a real Redis. All tests of counters in Redis
// depend on this.

#include "support/redis_process.h"

#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace rls {
namespace {

class FakeRedisTimeTest : public ::testing::Test {
 protected:
  absl::Time RedisTime() const { return TimeOf(redis_.Command({"TIME"})); }

  static absl::Time TimeOf(const RedisReply& reply) {
    int64_t seconds = 0;
    int64_t micros = 0;
    EXPECT_EQ(reply.elements.size(), 2u) << reply.text;
    if (reply.elements.size() != 2) return absl::InfinitePast();
    EXPECT_TRUE(absl::SimpleAtoi(reply.elements[0].text, &seconds));
    EXPECT_TRUE(absl::SimpleAtoi(reply.elements[1].text, &micros));
    return absl::FromUnixSeconds(seconds) + absl::Microseconds(micros);
  }

  FakeClock clock_;
  RedisProcess redis_{{.clock = &clock_}};
};

TEST_F(FakeRedisTimeTest, RedisSeesTheClockOfTheTest) {
  EXPECT_EQ(RedisTime(), clock_.Now());
  clock_.Advance(absl::Microseconds(1));
  EXPECT_EQ(RedisTime(), clock_.Now());
  clock_.Advance(absl::Hours(24 * 400));
  EXPECT_EQ(RedisTime(), clock_.Now());
  clock_.Advance(-absl::Hours(24 * 500));
  EXPECT_EQ(RedisTime(), clock_.Now());
}

TEST_F(FakeRedisTimeTest, AScriptSeesTheClockOfTheTest) {
  clock_.Advance(absl::Microseconds(12'345'678));
  EXPECT_EQ(TimeOf(redis_.Command({"EVAL", "return redis.call('TIME')", "0"})),
            clock_.Now());
}

TEST_F(FakeRedisTimeTest, AKeyLivesUntilTheClockHasPassedItsExpiry) {
  const int64_t end_ms = absl::ToUnixMillis(clock_.Now()) + 60'000;
  EXPECT_EQ(redis_.Command({"SET", "a", "1"}).text, "OK");
  EXPECT_EQ(redis_.Command({"PEXPIREAT", "a", absl::StrCat(end_ms)}).integer,
            1);
  clock_.Set(absl::FromUnixMillis(end_ms - 1));
  EXPECT_EQ(redis_.Command({"GET", "a"}).text, "1");
  EXPECT_EQ(redis_.Command({"PTTL", "a"}).integer, 1);
  // Redis keeps a key for all of its last millisecond.
  clock_.Set(absl::FromUnixMillis(end_ms) + absl::Microseconds(999));
  EXPECT_EQ(redis_.Command({"GET", "a"}).text, "1");
  clock_.Set(absl::FromUnixMillis(end_ms + 1));
  EXPECT_EQ(redis_.Command({"GET", "a"}).kind, RedisReply::Kind::kNil);
}

TEST(RedisProcessTest, WithoutAFakeClockRedisSeesTheClockOfTheMachine) {
  const RedisProcess redis({.tcp = true});
  EXPECT_EQ(redis.socket(), "");
  EXPECT_GT(redis.port(), 0);
  const RedisReply time = redis.Command({"TIME"});
  ASSERT_EQ(time.elements.size(), 2u);
  int64_t seconds = 0;
  ASSERT_TRUE(absl::SimpleAtoi(time.elements[0].text, &seconds));
  EXPECT_LT(absl::AbsDuration(absl::Now() - absl::FromUnixSeconds(seconds)),
            absl::Minutes(5));
}

TEST(RedisProcessTest, StartsAgainEmptyAtTheSameAddress) {
  for (const bool tcp : {false, true}) {
    RedisProcess redis({.tcp = tcp});
    const std::string socket = redis.socket();
    const int port = redis.port();
    EXPECT_TRUE(redis.Command({"SET", "a", "1"}).ok());
    redis.Kill();
    EXPECT_EQ(redis.Command({"PING"}).kind, RedisReply::Kind::kNone);
    redis.Start();
    EXPECT_EQ(redis.socket(), socket);
    EXPECT_EQ(redis.port(), port);
    EXPECT_EQ(redis.Command({"GET", "a"}).kind, RedisReply::Kind::kNil);
  }
}

TEST(RedisProcessTest, StopsAndContinues) {
  RedisProcess redis;
  redis.Stop();
  redis.Continue();
  EXPECT_EQ(redis.Command({"PING"}).text, "PONG");
}

TEST(RedisProcessTest, ReportsErrorsAndCountsCommands) {
  const RedisProcess redis({.arguments = {"--maxclients", "20"}});
  EXPECT_EQ(redis.Command({"NO", "such"}).kind, RedisReply::Kind::kError);
  EXPECT_EQ(redis.Command({"CONFIG", "GET", "maxclients"}).elements[1].text,
            "20");
  EXPECT_EQ(redis.Calls("incr"), 0);
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(redis.Command({"INCR", "a"}).integer, i);
  }
  EXPECT_EQ(redis.Calls("incr"), 3);
}

}  // namespace
}  // namespace rls
