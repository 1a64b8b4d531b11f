// The Redis store when Redis fails: which error a take gets, how soon it gets
// it, and that the store recovers when Redis does.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "support/wait_until.h"
#include "unit/store/counter_store_suite.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {
namespace {

// A generous bound: only a take that waits for the command timeout of a minute,
// or longer, exceeds it.
constexpr absl::Duration kSoon = absl::Seconds(20);

constexpr int64_t kPlenty = 1'000'000'000;

class RedisFaultsTest : public ::testing::Test {
 protected:
  std::unique_ptr<TestRedisStore> NewStore(
      const TestRedisOptions& options = {}) {
    return NewReadyRedisStore(redis_, clock_, options);
  }

  absl::Status TakeOne(CounterStore& store, const std::string& key = "a") {
    const absl::Time start = absl::Now();
    const auto outcomes = TakeAndWait(
        store,
        {{.key = key, .policy = {.limit = kPlenty, .window = absl::Hours(1)}}},
        Accounting::kAllOrNothing, absl::InfiniteFuture());
    EXPECT_LT(absl::Now() - start, kSoon);
    return outcomes.status();
  }

  int64_t Used(CounterStore& store, const std::string& key = "a") {
    const auto outcomes =
        TakeAndWait(store,
                    {{.key = key,
                      .policy = {.limit = kPlenty, .window = absl::Hours(1)},
                      .kind = ChargeKind::kPeek}},
                    Accounting::kAllOrNothing, absl::InfiniteFuture());
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() ? kPlenty - (*outcomes)[0].remaining : -1;
  }

  void ExpectAnswersAgain(TestRedisStore& store) {
    WaitUntil("an answer",
              [&] { return TakeOne(store, "again").ok() && store.ready(); });
  }

  FakeClock clock_;
  RedisProcess redis_{{.clock = &clock_}};
};

// Threads that take until Stop(), and the number of successes and failures.
class Load {
 public:
  explicit Load(CounterStore& store) {
    for (int thread = 0; thread < 4; ++thread) {
      threads_.emplace_back([this, &store] {
        while (!stop_) TakeSome(store);
      });
    }
  }
  ~Load() { Stop(); }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  int64_t made() const { return made_; }
  int64_t failed() const { return failed_; }

  // Waits for `count` more successful takes.
  void WaitForMore(int64_t count) const {
    const int64_t goal = made_ + count;
    WaitUntil("more takes", [&] { return made_ >= goal; });
  }

 private:
  void TakeSome(CounterStore& store) {
    const TestCharge charge{
        .policy = {.limit = kPlenty, .window = absl::Hours(1)}};
    const std::vector<std::vector<TestCharge>> takes(5, {charge});
    for (const auto& outcomes :
         TakeAllAtOnce(store, takes, Accounting::kAllOrNothing, 1)) {
      if (outcomes.ok()) {
        ++made_;
      } else {
        EXPECT_TRUE(absl::IsUnavailable(outcomes.status()))
            << outcomes.status();
        ++failed_;
      }
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<int64_t> made_{0};
  std::atomic<int64_t> failed_{0};
  std::vector<std::thread> threads_;
};

TEST_F(RedisFaultsTest, FlushedScriptsUnderLoadLoseNothing) {
  const auto store = NewStore();
  Load load(*store);
  for (int flush = 0; flush < 30; ++flush) {
    load.WaitForMore(50);
    EXPECT_TRUE(redis_.Command({"SCRIPT", "FLUSH"}).ok());
  }
  load.Stop();
  EXPECT_EQ(load.failed(), 0);
  EXPECT_EQ(Used(*store), load.made());
}

// Loading the script again would not be enough: it could be flushed again
// before the script call.
TEST_F(RedisFaultsTest, AScriptCallAfterAFlushContainsTheScript) {
  const auto store = NewStore();
  EXPECT_TRUE(
      redis_.Command({"ACL", "SETUSER", "default", "-script|load"}).ok());
  EXPECT_TRUE(redis_.Command({"SCRIPT", "FLUSH"}).ok());
  EXPECT_TRUE(TakeOne(*store).ok()) << TakeOne(*store);
}

TEST_F(RedisFaultsTest, KilledConnectionsComeBackAndNothingCountsTwice) {
  const auto store = NewStore({.threads = 2});
  Load load(*store);
  for (int kill = 0; kill < 20; ++kill) {
    load.WaitForMore(50);
    EXPECT_TRUE(redis_.Command({"CLIENT", "KILL", "TYPE", "normal"}).ok());
  }
  load.Stop();
  ExpectAnswersAgain(*store);
  const int64_t used = Used(*store);
  EXPECT_GE(used, load.made());
  EXPECT_LE(used, load.made() + load.failed());
}

TEST_F(RedisFaultsTest, AKilledRedisFailsTakesSoonAndIsFoundAgain) {
  for (const bool tcp : {false, true}) {
    RedisProcess redis({.clock = &clock_, .tcp = tcp});
    const auto store = NewReadyRedisStore(redis, clock_, {});
    EXPECT_TRUE(TakeOne(*store).ok());
    redis.Kill();
    EXPECT_TRUE(absl::IsUnavailable(TakeOne(*store))) << TakeOne(*store);
    WaitUntil("a store that knows", [&] { return !store->ready(); });
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(absl::IsUnavailable(TakeOne(*store)));
    }
    redis.Start();
    ExpectAnswersAgain(*store);
  }
}

TEST_F(RedisFaultsTest, ARedisKilledUnderLoadLosesOnlyItsOwnCounters) {
  const auto store = NewStore();
  {
    Load load(*store);
    load.WaitForMore(100);
    redis_.Kill();
    WaitUntil("a failure", [&] { return load.failed() > 0; });
  }
  Load load(*store);
  redis_.Start();
  load.WaitForMore(100);
  load.Stop();
  // The restarted Redis has no counters.
  EXPECT_GE(Used(*store), load.made());
  EXPECT_LE(Used(*store), load.made() + load.failed());
}

TEST_F(RedisFaultsTest, AStoppedRedisIsUnavailableInTime) {
  const auto store = NewStore({.command_timeout = absl::Milliseconds(50)});
  EXPECT_TRUE(TakeOne(*store).ok());
  redis_.Stop();
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(absl::IsUnavailable(TakeOne(*store))) << i;
  }
  redis_.Continue();
  ExpectAnswersAgain(*store);
}

// It once failed at once.
TEST_F(RedisFaultsTest, ATakeWaitsForTheFirstAttemptToConnect) {
  for (int i = 0; i < 50; ++i) {
    const auto store = NewTestRedisStore(redis_, clock_, {.threads = 2});
    EXPECT_TRUE(TakeOne(*store).ok()) << i;
  }
}

TEST_F(RedisFaultsTest, TheFirstAttemptEndsWithAndWithoutARedis) {
  const auto store = NewTestRedisStore(redis_, clock_, {.threads = 2});
  WaitUntil("an attempt", [&] { return store->attempted(); });
  EXPECT_TRUE(store->ready());
  redis_.Kill();
  const auto other = NewTestRedisStore(redis_, clock_, {.threads = 2});
  WaitUntil("an attempt", [&] { return other->attempted(); });
  EXPECT_FALSE(other->ready());
  EXPECT_TRUE(absl::IsUnavailable(TakeOne(*other)));
}

TEST_F(RedisFaultsTest, ATimedOutChargeIsNeverMadeTwice) {
  const auto store = NewStore({.command_timeout = absl::Milliseconds(50)});
  Load load(*store);
  for (int stop = 0; stop < 5; ++stop) {
    load.WaitForMore(50);
    redis_.Stop();
    const int64_t failed = load.failed();
    WaitUntil("a failure", [&] { return load.failed() > failed; });
    redis_.Continue();
  }
  load.WaitForMore(50);
  load.Stop();
  ExpectAnswersAgain(*store);
  const int64_t used = Used(*store);
  EXPECT_GE(used, load.made());
  EXPECT_LE(used, load.made() + load.failed());
}

TEST_F(RedisFaultsTest, ADeadlineEndsTheWaitForAStoppedRedis) {
  const auto store = NewStore();
  redis_.Stop();
  const absl::Time start = absl::Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      TakeAndWait(*store, {{.policy = PerMinute(5)}}, Accounting::kAllOrNothing,
                  clock_.Now() + absl::Milliseconds(50))
          .status()));
  EXPECT_LT(absl::Now() - start, kSoon);
  redis_.Continue();
  ExpectAnswersAgain(*store);
}

TEST_F(RedisFaultsTest, AStoreWithoutItsRedisStartsAndWaits) {
  redis_.Kill();
  const auto store = NewTestRedisStore(redis_, clock_, {});
  EXPECT_FALSE(store->ready());
  EXPECT_TRUE(absl::IsUnavailable(TakeOne(*store))) << TakeOne(*store);
  EXPECT_FALSE(store->ready());
  redis_.Start();
  ExpectAnswersAgain(*store);
}

TEST_F(RedisFaultsTest, AStoreAnswersAllTakesWhenItIsDestroyed) {
  auto store = NewStore();
  redis_.Stop();
  std::atomic<int> unavailable{0};
  const Policy policy = PerMinute(5);
  const absl::string_view part = "a";
  const Charge charge{.policy = &policy,
                      .key = {.scope = "suite", .parts = {&part, 1}}};
  for (int i = 0; i < 100; ++i) {
    store->Take({&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
                [&](const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
                  unavailable += absl::IsUnavailable(outcomes.status()) ? 1 : 0;
                });
  }
  store.reset();
  EXPECT_EQ(unavailable, 100);
  redis_.Continue();
}

TEST_F(RedisFaultsTest, ARedisWithoutMemoryIsUnavailableUntilItHasSome) {
  const auto store = NewStore();
  EXPECT_TRUE(TakeOne(*store, "known").ok());
  // Leaves the first two seconds of the window: there a script may have to
  // delete a key first, and Redis lets a script write after a deletion.
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(redis_.Command({"CONFIG", "SET", "maxmemory", "1"}).ok());
  for (const char* key : {"known", "new"}) {
    const absl::Status status = TakeOne(*store, key);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  }
  EXPECT_TRUE(redis_.Command({"CONFIG", "SET", "maxmemory", "0"}).ok());
  ExpectAnswersAgain(*store);
}

TEST_F(RedisFaultsTest, AReplicaIsUnavailableUntilItIsAMaster) {
  const auto store = NewStore();
  EXPECT_TRUE(redis_.Command({"REPLICAOF", "127.0.0.1", "1"}).ok());
  EXPECT_TRUE(absl::IsUnavailable(TakeOne(*store))) << TakeOne(*store);
  EXPECT_TRUE(redis_.Command({"REPLICAOF", "NO", "ONE"}).ok());
  ExpectAnswersAgain(*store);
}

TEST_F(RedisFaultsTest, ARedisThatNeedsAPasswordIsNotReady) {
  const RedisProcess locked({.arguments = {"--requirepass", "secret"}});
  const auto store = NewTestRedisStore(locked, clock_, {});
  EXPECT_TRUE(absl::IsUnavailable(TakeOne(*store))) << TakeOne(*store);
  EXPECT_FALSE(store->ready());
}

TEST_F(RedisFaultsTest, AServerThatRefusesToWorkIsTriedLessOften) {
  const auto store = NewStore();
  EXPECT_TRUE(redis_.Command({"ACL", "SETUSER", "default", "-evalsha"}).ok());
  const auto attempts = [this] { return redis_.Calls("script|load") / 3; };
  const auto wait_for_more = [&](int64_t count) {
    const int64_t goal = attempts() + count;
    WaitUntil("more attempts", [&] {
      EXPECT_TRUE(absl::IsUnavailable(TakeOne(*store)));
      return attempts() >= goal;
    });
  };
  wait_for_more(6);
  const absl::Time start = absl::Now();
  wait_for_more(10);
  // The pauses alone take longer than this, on any machine.
  EXPECT_GE(absl::Now() - start, absl::Seconds(1));
  EXPECT_TRUE(redis_.Command({"ACL", "SETUSER", "default", "+evalsha"}).ok());
  ExpectAnswersAgain(*store);
}

// Another program has written a value to the key of a counter.
TEST_F(RedisFaultsTest, AForeignValueHarmsItsOwnCounterOnly) {
  const auto store = NewStore();
  EXPECT_TRUE(TakeOne(*store, "foreign").ok());
  const RedisReply keys = redis_.Command({"KEYS", "*"});
  ASSERT_EQ(keys.elements.size(), 1u);
  const std::string key = keys.elements[0].text;
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"SET", key, "no number"},
        std::vector<std::string>{"HSET", key, "field", "1"}}) {
    redis_.Command({"DEL", key});
    ASSERT_TRUE(redis_.Command(command).ok());
    for (int i = 0; i < 5; ++i) {
      const absl::Status foreign = TakeOne(*store, "foreign");
      EXPECT_TRUE(foreign.ok() || absl::IsUnavailable(foreign)) << foreign;
      const absl::Status other = TakeOne(*store, absl::StrCat("other", i));
      EXPECT_TRUE(other.ok()) << other;
    }
  }
}

}  // namespace
}  // namespace rls
