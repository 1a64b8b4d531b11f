// The features that only the Redis store has: it remembers exhausted counters,
// and several stores share one Redis. faults_test.cc has a Redis that fails.

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "support/wait_until.h"
#include "unit/store/counter_store_suite.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {
namespace {

Policy Raised(Policy policy) {
  policy.limit += 50;
  policy.burst += policy.burst > 0 ? 100 : 0;
  return policy;
}

class RedisStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<TestRedisStore> NewStore(
      const TestRedisOptions& options = {}) {
    return NewReadyRedisStore(redis_, clock_, options);
  }

  static std::vector<Outcome> Take(
      CounterStore& store, const std::vector<TestCharge>& charges,
      Accounting accounting = Accounting::kAllOrNothing) {
    auto outcomes =
        TakeAndWait(store, charges, accounting, absl::InfiniteFuture());
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() ? *std::move(outcomes)
                         : std::vector<Outcome>(charges.size());
  }
  static Outcome TakeOne(CounterStore& store, const TestCharge& charge) {
    return Take(store, {charge})[0];
  }

  // Takes until the charge has been refused twice. The first refusal fills the
  // deny cache.
  static void Exhaust(CounterStore& store, const TestCharge& charge) {
    int refused = 0;
    for (int i = 0; i < 1000 && refused < 2; ++i) {
      refused += TakeOne(store, charge).allowed ? 0 : 1;
    }
    EXPECT_EQ(refused, 2);
  }

  // The number of script calls that have reached Redis.
  int64_t ScriptCalls() const {
    return redis_.Calls("evalsha") + redis_.Calls("eval");
  }

  FakeClock clock_;
  RedisProcess redis_{{.clock = &clock_}};
};

Policy PerHour(int64_t limit) {
  return {.limit = limit, .window = absl::Hours(1)};
}

TEST_F(RedisStoreTest, AFloodOnAnExhaustedCounterDoesNotReachRedis) {
  const auto store = NewStore();
  const TestCharge charge{.policy = PerHour(5)};
  Exhaust(*store, charge);
  const int64_t before = ScriptCalls();
  for (int i = 0; i < 2000; ++i) {
    const Outcome outcome = TakeOne(*store, charge);
    ASSERT_FALSE(outcome.allowed);
    ASSERT_EQ(outcome.remaining, 0);
    ASSERT_GT(outcome.retry_after, absl::ZeroDuration());
    ASSERT_LE(outcome.retry_after, absl::Hours(1));
    ASSERT_EQ(outcome.retry_after, outcome.reset_after);
  }
  // The store asks Redis now and then, because clocks drift.
  EXPECT_LE(ScriptCalls() - before, 100);
}

TEST_F(RedisStoreTest, WithoutTheCacheEveryTakeReachesRedis) {
  const auto store = NewStore({.deny_cache_entries = 0});
  const TestCharge charge{.policy = PerHour(5)};
  Exhaust(*store, charge);
  const int64_t before = ScriptCalls();
  for (int i = 0; i < 100; ++i) TakeOne(*store, charge);
  EXPECT_EQ(ScriptCalls() - before, 100);
}

TEST_F(RedisStoreTest, ARaisedLimitIsSeenAtOnce) {
  const auto store = NewStore();
  for (const Policy& policy : EveryAlgorithm(5)) {
    const std::string key = absl::StrCat("key", policy.algorithm);
    Exhaust(*store, {.key = key, .policy = policy});
    const Policy raised = Raised(policy);
    EXPECT_TRUE(TakeOne(*store, {.key = key, .policy = raised}).allowed);
    EXPECT_FALSE(TakeOne(*store, {.key = key, .policy = policy}).allowed);
  }
}

// A state remembered from before the limit was raised would be outdated: the
// times of the refusal would be too short.
TEST_F(RedisStoreTest, ALimitThatIsLoweredAgainRefusesAsRedisWould) {
  const auto store = NewStore();
  const auto uncached = NewStore({.deny_cache_entries = 0});
  for (const Policy& policy : EveryAlgorithm(5)) {
    const std::string key = absl::StrCat("key", policy.algorithm);
    Exhaust(*store, {.key = key, .policy = policy});
    const Policy raised = Raised(policy);
    TakeOne(*store, {.key = key, .policy = raised, .cost = 20});
    const TestCharge charge{.key = key, .policy = policy};
    EXPECT_EQ(TakeOne(*store, charge), TakeOne(*uncached, charge)) << charge;
  }
}

// A take of several charges always goes to Redis.
TEST_F(RedisStoreTest, ChargesOfAHigherLimitBesideOthersAreNoticed) {
  const auto store = NewStore();
  const auto uncached = NewStore({.deny_cache_entries = 0});
  for (const Policy& policy : EveryAlgorithm(5)) {
    const TestCharge charge{.key = absl::StrCat("key", policy.algorithm),
                            .policy = policy};
    Exhaust(*store, charge);
    TestCharge more = charge;
    more.policy = Raised(policy);
    more.cost = 20;
    EXPECT_TRUE(Take(*store, {{.key = "other", .policy = PerHour(9)}, more})[1]
                    .allowed);
    EXPECT_EQ(TakeOne(*store, charge), TakeOne(*uncached, charge)) << charge;
  }
}

TEST_F(RedisStoreTest, ASmallerCostThanTheRefusedCostMayPass) {
  const auto store = NewStore();
  for (const Policy& policy : EveryAlgorithm(5)) {
    const std::string key = absl::StrCat("key", policy.algorithm);
    EXPECT_EQ(
        TakeOne(*store, {.key = key, .policy = policy, .cost = 3}).remaining,
        2);
    Exhaust(*store, {.key = key, .policy = policy, .cost = 3});
    EXPECT_EQ(TakeOne(*store, {.key = key, .policy = policy}).remaining, 1);
    EXPECT_EQ(TakeOne(*store, {.key = key, .policy = policy}).remaining, 0);
    EXPECT_FALSE(TakeOne(*store, {.key = key, .policy = policy}).allowed);
  }
}

TEST_F(RedisStoreTest, ARefundIsSeenAtOnce) {
  const auto store = NewStore();
  for (const Policy& policy : EveryAlgorithm(5)) {
    const std::string key = absl::StrCat("key", policy.algorithm);
    Exhaust(*store, {.key = key, .policy = policy});
    TakeOne(*store, {.key = key, .policy = policy, .cost = -2});
    EXPECT_EQ(TakeOne(*store, {.key = key, .policy = policy}).remaining, 1);
  }
}

// A store does not learn of another store's refund. So it must not remember a
// refundable counter.
TEST_F(RedisStoreTest, ARefundByAnotherStoreOfARefundableCounterIsSeenAtOnce) {
  const auto one = NewStore();
  const auto two = NewStore();
  for (const Policy& policy : EveryAlgorithm(5)) {
    TestCharge charge{.key = absl::StrCat("key", policy.algorithm),
                      .policy = policy,
                      .refundable = true};
    Exhaust(*one, charge);
    charge.cost = -2;
    TakeOne(*two, charge);
    charge.cost = 1;
    EXPECT_EQ(TakeOne(*one, charge).remaining, 1);
  }
}

TEST_F(RedisStoreTest, AReportOnAnExhaustedCounterIsStillMade) {
  const auto store = NewStore();
  const TestCharge charge{.policy = PerHour(5)};
  Exhaust(*store, charge);
  TakeOne(*store,
          {.policy = PerHour(5), .cost = 10, .kind = ChargeKind::kReport});
  Exhaust(*store, charge);
  EXPECT_FALSE(TakeOne(*store, {.policy = PerHour(15)}).allowed);
  EXPECT_EQ(TakeOne(*store, {.policy = PerHour(16)}).remaining, 0);
}

TEST_F(RedisStoreTest, IndependentRefusalsAreAllCounted) {
  const auto store = NewStore();
  for (int i = 0; i < 20; ++i) {
    Take(*store, {{.policy = PerHour(5)}}, Accounting::kIndependent);
  }
  EXPECT_EQ(TakeOne(*store, {.policy = PerHour(22)}).remaining, 1);
}

// The outcomes of the other charges are those that Redis gives.
TEST_F(RedisStoreTest, AnExhaustedCounterBesideOthersDeniesTheTake) {
  const auto store = NewStore();
  const TestCharge full{.key = "full", .policy = PerHour(5)};
  const TestCharge other{.key = "other", .policy = PerHour(9)};
  Exhaust(*store, full);
  for (int i = 0; i < 10; ++i) {
    const auto outcomes = Take(*store, {other, full});
    EXPECT_TRUE(outcomes[0].allowed);
    EXPECT_EQ(outcomes[0].remaining, 9);
    EXPECT_FALSE(outcomes[1].allowed);
  }
  EXPECT_EQ(TakeOne(*store, other).remaining, 8);
}

TEST_F(RedisStoreTest, MoreExhaustedCountersThanTheCacheHoldsAreAllRefused) {
  const auto store = NewStore({.deny_cache_entries = 10});
  for (int round = 0; round < 3; ++round) {
    for (int user = 0; user < 200; ++user) {
      const Outcome outcome =
          TakeOne(*store, {.key = absl::StrCat(user), .policy = PerHour(1)});
      EXPECT_EQ(outcome.allowed, round == 0) << user;
    }
  }
}

absl::Time RedisTime(const RedisProcess& redis) {
  const RedisReply time = redis.Command({"TIME"});
  int64_t seconds = 0;
  int64_t micros = 0;
  EXPECT_TRUE(time.elements.size() == 2 &&
              absl::SimpleAtoi(time.elements[0].text, &seconds) &&
              absl::SimpleAtoi(time.elements[1].text, &micros))
      << time.text;
  return absl::FromUnixSeconds(seconds) + absl::Microseconds(micros);
}

// The clock that Redis reads. The operating system corrects the rate of its
// wall clock, by up to some milliseconds a second, but not of the clock that
// measures durations. The tests below compare the two within a millisecond, so
// both must be the same clock. DenyCache::kMaxAge bounds the difference in
// production.
class WallClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Elapsed() const override {
    return absl::Now() - absl::UnixEpoch();
  }
};

// In real time: a remembered refusal must not outlive its window in Redis.
TEST(RedisStoreRealTimeTest, TheEndOfTheWindowIsSeenAtOnce) {
  const RedisProcess redis;
  const WallClock clock;
  const auto store = NewReadyRedisStore(redis, clock, {});
  const auto take = [&] {
    const auto outcomes = TakeAndWait(
        *store, {{.policy = {.limit = 3, .window = absl::Seconds(1)}}},
        Accounting::kAllOrNothing, absl::InfiniteFuture());
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() && (*outcomes)[0].allowed;
  };
  const auto second = [&] { return absl::ToUnixSeconds(RedisTime(redis)); };
  for (int window = 0; window < 3; ++window) {
    int64_t started = 0;
    bool again = true;
    do {  // again, if the second has ended meanwhile
      started = second();
      while (take()) {
      }
      again = take();
    } while (second() != started);
    EXPECT_FALSE(again);
    WaitUntil("the next second", [&] { return second() != started; });
    EXPECT_TRUE(take());
  }
}

// Two stores charge the same counters in turn; only one has a deny cache. If
// the one with the cache refuses a charge, the other one must refuse it too,
// until the retry_after of the refusal has passed.
TEST(RedisStoreRealTimeTest, NothingIsRefusedThatRedisWouldAllow) {
  const RedisProcess redis;
  const WallClock clock;
  const auto remembers = NewReadyRedisStore(redis, clock, {});
  const auto uncached =
      NewReadyRedisStore(redis, clock, {.deny_cache_entries = 0});
  const auto take = [](CounterStore& store, const TestCharge& charge) {
    const auto outcomes = TakeAndWait(
        store, {charge}, Accounting::kAllOrNothing, absl::InfiniteFuture());
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() ? (*outcomes)[0] : Outcome{};
  };
  std::mt19937 random(11);
  int both_refused = 0;
  for (int windows = 0; windows < 3 && !::testing::Test::HasFailure();) {
    Policy policy = EveryAlgorithm(20)[random() % 3];
    policy.window = absl::Seconds(1);
    TestCharge charge{.key = absl::StrCat(policy.algorithm), .policy = policy};
    charge.cost = 1 + static_cast<int64_t>(random() % 3);
    const absl::Time before = RedisTime(redis);
    const Outcome first = take(*remembers, charge);
    const Outcome second = take(*uncached, charge);
    const absl::Time after = RedisTime(redis);
    if (!first.allowed && second.allowed) {
      EXPECT_GE(after, before + first.retry_after) << charge;
    }
    both_refused += !first.allowed && !second.allowed ? 1 : 0;
    if (absl::ToUnixSeconds(before) != absl::ToUnixSeconds(after)) ++windows;
  }
  EXPECT_GT(both_refused, 0);
}

TEST_F(RedisStoreTest, TwoStoresOnOneRedisShareCountersExactly) {
  const auto one = NewStore();
  const auto two = NewStore({.threads = 2});
  for (const Policy& policy : EveryAlgorithm(1000)) {
    for (const auto accounting :
         {Accounting::kAllOrNothing, Accounting::kIndependent}) {
      const TestCharge charge{.key = absl::StrCat(policy.algorithm, accounting),
                              .policy = policy};
      std::atomic<int> admitted{0};
      std::vector<std::thread> threads;
      for (int thread = 0; thread < 8; ++thread) {
        threads.emplace_back([&, thread] {
          for (int i = 0; i < 20; ++i) {
            const std::vector<std::vector<TestCharge>> takes(20, {charge});
            for (const auto& outcomes : TakeAllAtOnce(
                     thread % 2 == 0 ? *one : *two, takes, accounting, 1)) {
              EXPECT_TRUE(outcomes.ok()) << outcomes.status();
              admitted += outcomes.ok() && (*outcomes)[0].allowed ? 1 : 0;
            }
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      EXPECT_EQ(admitted, 1000) << charge;
    }
  }
}

TEST_F(RedisStoreTest, StoresWithDifferentPrefixesHaveSeparateCounters) {
  const auto one = NewStore({.key_prefix = "one:"});
  const auto two = NewStore({.key_prefix = "two:"});
  const TestCharge charge{.policy = PerHour(1)};
  EXPECT_TRUE(TakeOne(*one, charge).allowed);
  EXPECT_TRUE(TakeOne(*two, charge).allowed);
  EXPECT_FALSE(TakeOne(*one, charge).allowed);
}

TEST_F(RedisStoreTest, APassedDeadlineDoesNotReachRedis) {
  const auto store = NewStore();
  const int64_t before = ScriptCalls();
  for (const absl::Time deadline :
       {clock_.Now(), clock_.Now() - absl::Hours(1), absl::InfinitePast()}) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(
        TakeAndWait(*store, {{.policy = PerHour(3)}}, Accounting::kAllOrNothing,
                    deadline)
            .status()));
  }
  EXPECT_EQ(ScriptCalls(), before);
  EXPECT_EQ(TakeOne(*store, {.policy = PerHour(3)}).remaining, 2);
}

TEST_F(RedisStoreTest, ManyTakesShareFewScriptCalls) {
  const auto store = NewStore();
  std::vector<std::vector<TestCharge>> takes;
  for (int i = 0; i < 5000; ++i) {
    takes.push_back({{.key = absl::StrCat(i % 500), .policy = PerHour(1000)}});
  }
  const int64_t before = ScriptCalls();
  for (const auto& outcomes :
       TakeAllAtOnce(*store, takes, Accounting::kAllOrNothing, 2)) {
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    EXPECT_TRUE((*outcomes)[0].allowed);
  }
  EXPECT_LT(ScriptCalls() - before, 2500);
}

}  // namespace
}  // namespace rls
