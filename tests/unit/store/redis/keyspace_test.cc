// The keys that random histories leave in Redis: each key expires, and has the
// prefix that separates it from other programs' keys.

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "support/wait_until.h"
#include "unit/store/counter_store_dice.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {
namespace {

class RedisKeyspaceTest : public ::testing::Test {
 protected:
  // Checks all keys. Returns their number.
  size_t CheckKeys() const {
    size_t keys = 0;
    std::string cursor = "0";
    do {
      const RedisReply page = redis_.Command({"SCAN", cursor, "COUNT", "1000"});
      EXPECT_EQ(page.elements.size(), 2u) << page.text;
      if (page.elements.size() != 2) return keys;
      cursor = page.elements[0].text;
      for (const RedisReply& key : page.elements[1].elements) {
        ++keys;
        EXPECT_TRUE(absl::StartsWith(key.text, "mine:")) << key.text;
        EXPECT_NE(redis_.Command({"PTTL", key.text}).integer, -1) << key.text;
      }
    } while (cursor != "0" && !HasFailure());
    return keys;
  }

  FakeClock clock_;
  const RedisProcess redis_{{.clock = &clock_}};
  const std::unique_ptr<TestRedisStore> store_ =
      NewReadyRedisStore(redis_, clock_, {.key_prefix = "mine:"});
};

TEST_F(RedisKeyspaceTest, EveryKeyExpiresAndHasThePrefix) {
  for (const Habits& habits :
       {Habits{}, Habits{.lone = true}, Habits{.calendar = true},
        Habits{.huge = true}, Habits{.huge = true, .lone = true},
        Habits{.usage = true}}) {
    size_t seen = 0;
    for (unsigned seed = 101; seed < 105; ++seed) {
      SCOPED_TRACE(seed);
      StoreDice dice(seed, habits);
      clock_.Set(dice.Start());
      for (int take = 0; take < 200; ++take) {
        const auto outcomes =
            TakeAndWait(*store_, dice.Charges(), dice.AnyAccounting(),
                        absl::InfiniteFuture());
        ASSERT_TRUE(outcomes.ok()) << outcomes.status();
        if (take % 5 == 0) seen += CheckKeys();
        ASSERT_FALSE(HasFailure());
        clock_.Advance(dice.Pause(*outcomes));
      }
    }
    EXPECT_GT(seen, 100u);
  }
}

TEST_F(RedisKeyspaceTest, OldCountersAreGone) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    StoreDice dice(seed, {});
    clock_.Set(dice.Start());
    for (int take = 0; take < 20; ++take) {
      const auto outcomes =
          TakeAndWait(*store_, dice.Charges(), dice.AnyAccounting(),
                      absl::InfiniteFuture());
      ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    }
    EXPECT_GT(CheckKeys(), 0u);
    // Longer than any banked units and any backlog of a bucket can last.
    clock_.Advance(absl::Hours(24));
    EXPECT_EQ(CheckKeys(), 0u);
  }
}

// Redis 8 treats a key as expired from the start of its last millisecond.
TEST_F(RedisKeyspaceTest, NoSearchForExpiredKeysDeletesACounterInItsWindow) {
  using Charges = std::vector<TestCharge>;
  const auto keys = [this] { return redis_.Command({"DBSIZE"}).integer; };
  const Policy policy = PerMinute(5);
  for (const Charges& one_script_each :
       {Charges{{.key = "a", .policy = policy}},
        Charges{{.key = "b", .policy = policy}, {.key = "c", .policy = policy}},
        Charges{{.key = "d", .policy = policy, .kind = ChargeKind::kReport}}}) {
    ASSERT_TRUE(TakeAndWait(*store_, one_script_each, Accounting::kAllOrNothing,
                            absl::InfiniteFuture())
                    .ok());
  }
  const absl::Time end = clock_.Now() + absl::Minutes(1);
  const std::string before_last = std::to_string(absl::ToUnixMillis(end) - 2);
  ASSERT_TRUE(redis_.Command({"SET", "expires", "", "PXAT", before_last}).ok());
  ASSERT_EQ(keys(), 5);
  clock_.Set(end - absl::Microseconds(1));
  WaitUntil("a search for expired keys", [&] { return keys() < 5; });
  EXPECT_EQ(keys(), 4);
}

}  // namespace
}  // namespace rls
