// A user of Redis who lacks a right: the store names it, is not ready, leaves
// nothing behind, and goes on when the right is granted.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "store/redis/refusals.h"
#include "support/wait_until.h"
#include "unit/store/counter_store_suite.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

class RedisRightsTest : public ::testing::Test {
 protected:
  void SetRight(const std::string& right) {
    ASSERT_TRUE(redis_.Command({"ACL", "SETUSER", "default", right}).ok());
  }
  absl::Status Take(const std::vector<TestCharge>& charges) {
    return TakeAndWait(*store_, charges, Accounting::kAllOrNothing,
                       absl::InfiniteFuture())
        .status();
  }

  FakeClock clock_;
  RedisProcess redis_{{.clock = &clock_}};
  std::unique_ptr<TestRedisStore> store_ =
      NewReadyRedisStore(redis_, clock_, {});
};

TEST_F(RedisRightsTest, AMissingRightIsNamedAtTheFirstConnection) {
  for (const char* command : {"pexpireat", "pttl", "decrby", "setrange"}) {
    SCOPED_TRACE(command);
    SetRight(absl::StrCat("-", command));
    store_ = NewReadyRedisStore(redis_, clock_, {});
    WaitUntil("the name of the right", [&] {
      return store_->not_ready().find(command) != std::string::npos;
    });
    EXPECT_THAT(store_->not_ready(), HasSubstr("has no right to run"));
    SetRight(absl::StrCat("+", command));
    WaitUntil("a store that is ready",
              [&] { return store_->not_ready() == ""; });
  }
}

TEST_F(RedisRightsTest, ARightThatAConnectionNeedsIsNamed) {
  SetRight("-script|load");
  store_ = NewTestRedisStore(redis_, clock_, {});
  WaitUntil("the name of the right", [&] {
    return store_->not_ready().find("script|load") != std::string::npos;
  });
  EXPECT_THAT(store_->not_ready(), HasSubstr("no connection to Redis: "));
  SetRight("+script|load");
  WaitUntil("a store that is ready", [&] { return store_->not_ready() == ""; });
}

TEST_F(RedisRightsTest, ARightThatIsTakenAwayIsNamedAfterARefusedTake) {
  EXPECT_EQ(store_->not_ready(), "");
  SetRight("-pexpireat");
  EXPECT_TRUE(absl::IsUnavailable(Take({{.policy = PerMinute(5)}})));
  EXPECT_NE(store_->not_ready(), "");
  WaitUntil("the name of the right", [&] {
    return store_->not_ready().find("pexpireat") != std::string::npos;
  });
  SetRight("+pexpireat");
  WaitUntil("a store that works", [&] {
    return Take({{.policy = PerMinute(5)}}).ok() && store_->not_ready() == "";
  });
}

// ratelimitd 0.1.0 left a counter that never expired.
TEST_F(RedisRightsTest, WithoutTheRightToExpireNoCounterStays) {
  SetRight("-pexpireat");
  const TestCharge a{.key = "a", .policy = PerMinute(5)};
  const TestCharge b{.key = "b", .policy = PerMinute(5)};
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(absl::IsUnavailable(Take({a})));
    EXPECT_TRUE(absl::IsUnavailable(Take({a, b})));
    for (const RedisReply& key : redis_.Command({"KEYS", "*"}).elements) {
      EXPECT_GE(redis_.Command({"PTTL", key.text}).integer, 0) << key.text;
    }
  }
}

// A server that refuses every write is not ready for as long as it is asked.
TEST_F(RedisRightsTest, AnotherErrorIsShownUntilTheServerWorks) {
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(redis_.Command({"CONFIG", "SET", "maxmemory", "1"}).ok());
  EXPECT_FALSE(Take({{.policy = PerMinute(5)}}).ok());
  EXPECT_THAT(store_->not_ready(), HasSubstr("OOM"));
  ASSERT_TRUE(redis_.Command({"CONFIG", "SET", "maxmemory", "0"}).ok());
  EXPECT_TRUE(Take({{.policy = PerMinute(5)}}).ok());
  EXPECT_EQ(store_->not_ready(), "");
}

// Nobody may ask a replica that is not ready.
TEST_F(RedisRightsTest, AnErrorIsForgottenAfterSomeTime) {
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(redis_.Command({"CONFIG", "SET", "maxmemory", "1"}).ok());
  EXPECT_FALSE(Take({{.policy = PerMinute(5)}}).ok());
  clock_.Advance(Refusals::kErrorAge);
  EXPECT_NE(store_->not_ready(), "");
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(store_->not_ready(), "");
}

}  // namespace
}  // namespace rls
