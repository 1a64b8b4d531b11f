// Values and times to live that no script sets: of another program, of an
// operator, or of a clock that was wrong. None of them may refuse a user for
// longer than a window, stop other counters, or stay in Redis.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "support/redis_cluster.h"
#include "unit/store/counter_store_suite.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {
namespace {

constexpr absl::Duration kWindow = absl::Minutes(1);

struct Shape {
  std::string name;
  Policy policy;
  absl::Duration longest;  // that a refusal may last
};

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes;
  shapes.push_back({"plain", PerMinute(5), kWindow});
  Policy earned = PerMinute(5);
  earned.burst = 3;
  shapes.push_back({"earned", earned, kWindow});
  Policy queue = PerMinute(5);
  queue.queue = true;
  // Units that are booked already: the queue is as long as it may be.
  shapes.push_back({"queue", queue, 3 * kWindow});
  Policy sliding = PerMinute(5);
  sliding.algorithm = Algorithm::kSlidingWindow;
  shapes.push_back({"sliding", sliding, 2 * kWindow});
  Policy bucket = PerMinute(5);
  bucket.algorithm = Algorithm::kTokenBucket;
  bucket.burst = 4;
  shapes.push_back({"bucket", bucket, kWindow});
  Policy single = PerMinute(5);
  single.algorithm = Algorithm::kSingleWindow;
  shapes.push_back({"single", single, kWindow});
  Policy hour = PerMinute(5);
  hour.calendar = Calendar::kHour;
  shapes.push_back({"calendar", hour, absl::Hours(1)});
  return shapes;
}

// Values, written with `%` for the time of the clock in milliseconds, and the
// command that writes each.
struct Foreign {
  std::string name;
  std::vector<std::string> command;  // the key is the second word
};

std::vector<Foreign> ForeignValues(absl::Time now) {
  const auto ms = [&](absl::Duration later) {
    return absl::StrCat(absl::ToUnixMillis(now + later));
  };
  const auto bucket = [&](absl::Duration later) {
    return absl::StrCat(absl::ToUnixSeconds(now + later), ".000000000");
  };
  std::vector<Foreign> values;
  int number = 0;
  for (const std::string& text :
       {std::string("no number"),
        std::string(""),
        std::string("0x10"),
        std::string("inf"),
        std::string("nan"),
        std::string("1e300"),
        std::string(" 7"),
        std::string("7.5"),
        std::string("-7"),
        std::string("-1"),
        std::string("9223372036854775807"),
        std::string("-9223372036854775808"),
        std::string("99999999999999999999999"),
        std::string("7\n"),
        absl::StrCat(ms(absl::Hours(1)), " 5 0"),
        absl::StrCat(ms(absl::Hours(24 * 365)), " 5 5"),
        absl::StrCat(ms(absl::Hours(24 * 365 * 100)), " 5 0"),
        std::string("99999999999999999999 99999999999999999999 9"),
        absl::StrCat(ms(absl::ZeroDuration()), " 99999999999999999999 0"),
        absl::StrCat(ms(-absl::Seconds(7)), " 3 99999999999999999999"),
        absl::StrCat(ms(absl::ZeroDuration()), " -5 0"),
        bucket(absl::Hours(1)),
        bucket(absl::Hours(24 * 365 * 100)),
        absl::StrCat(bucket(absl::Hours(24 * 365)), " ",
                     absl::ToUnixMicros(now + absl::Hours(24 * 365))),
        std::string("99999999999999999999.999999999"),
        std::string("5.1")}) {
    values.push_back({absl::StrCat(++number, " ", text), {"SET", "", text}});
  }
  values.push_back({"hash", {"HSET", "", "field", "1"}});
  values.push_back({"list", {"RPUSH", "", "1"}});
  values.push_back({"set", {"SADD", "", "1"}});
  return values;
}

class RedisForeignValuesTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<Outcome>> Take(
      const std::vector<TestCharge>& charges,
      Accounting accounting = Accounting::kAllOrNothing) {
    return TakeAndWait(*store_, charges, accounting, absl::InfiniteFuture());
  }

  std::string KeyOf(const TestCharge& charge) {
    redis_.Command({"FLUSHALL"});
    EXPECT_TRUE(Take({charge}).ok());
    const RedisReply keys = redis_.Command({"KEYS", "*"});
    EXPECT_EQ(keys.elements.size(), 1u);
    redis_.Command({"FLUSHALL"});
    return keys.elements.empty() ? "" : keys.elements[0].text;
  }

  double Repaired() {
    for (const absl::string_view line :
         absl::StrSplit(store_->metrics().Text(), '\n')) {
      if (!absl::StartsWith(line, "ratelimitd_redis_repaired_keys_total ")) {
        continue;
      }
      double value = 0;
      EXPECT_TRUE(absl::SimpleAtod(line.substr(line.find(' ') + 1), &value));
      return value;
    }
    ADD_FAILURE() << "no metric";
    return 0;
  }

  int64_t Pttl(const std::string& key) const {
    return redis_.Command({"PTTL", key}).integer;
  }

  // Takes until one is admitted. Fails if that lasts longer than `longest`.
  void ExpectAdmittedWithin(absl::Duration longest,
                            const std::vector<TestCharge>& charges) {
    const absl::Time start = clock_.Now();
    while (true) {
      const auto outcomes = Take(charges);
      ASSERT_TRUE(outcomes.ok()) << outcomes.status();
      absl::Duration retry;
      for (const Outcome& outcome : *outcomes) {
        EXPECT_LE(outcome.reset_after, 2 * longest + absl::Seconds(1));
        if (outcome.allowed) continue;
        ASSERT_LE(outcome.retry_after, longest);
        retry = std::max(retry, outcome.retry_after);
      }
      if (retry == absl::ZeroDuration()) return;
      clock_.Advance(std::max(retry, absl::Milliseconds(1)));
      ASSERT_LE(clock_.Now() - start, longest + absl::Seconds(2));
    }
  }

  FakeClock clock_;
  const RedisProcess redis_{{.clock = &clock_}};
  const std::unique_ptr<TestRedisStore> store_ =
      NewReadyRedisStore(redis_, clock_, {.deny_cache_entries = 0});
};

// The times to live that a foreign value may have.
std::vector<std::vector<std::string>> TimesToLive() {
  return {{}, {"PEXPIRE", "", "31536000000"}, {"PEXPIRE", "", "40000"}};
}

TEST_F(RedisForeignValuesTest, NoValueRefusesForLongerThanAWindow) {
  clock_.Advance(absl::Seconds(5));
  for (const Shape& shape : Shapes()) {
    const TestCharge charge{.key = "a", .policy = shape.policy};
    const TestCharge other{.key = "b", .policy = PerMinute(1'000'000)};
    const std::string key = KeyOf(charge);
    for (const Foreign& value : ForeignValues(clock_.Now())) {
      for (const auto& ttl : TimesToLive()) {
        for (const bool alone : {true, false}) {
          SCOPED_TRACE(absl::StrCat(shape.name, ", ", value.name, ", ",
                                    ttl.empty() ? "no ttl" : ttl[2]));
          redis_.Command({"DEL", key});
          std::vector<std::string> command = value.command;
          command[1] = key;
          ASSERT_TRUE(redis_.Command(command).ok());
          if (!ttl.empty()) {
            ASSERT_TRUE(redis_.Command({ttl[0], key, ttl[2]}).ok());
          }
          std::vector<TestCharge> charges = {charge};
          if (!alone) charges.push_back(other);
          ASSERT_NO_FATAL_FAILURE(ExpectAdmittedWithin(shape.longest, charges));
          EXPECT_GE(Pttl(key), 0);
          EXPECT_LE(absl::Milliseconds(Pttl(key)),
                    12 * shape.longest + absl::Seconds(2));
          ASSERT_FALSE(HasFailure());
        }
      }
    }
  }
  EXPECT_GT(Repaired(), 500);
}

TEST_F(RedisForeignValuesTest, AForeignValueFailsNoOtherTakeOfItsBatch) {
  for (const Foreign& value : ForeignValues(clock_.Now())) {
    SCOPED_TRACE(value.name);
    const std::string key = KeyOf({.key = "a", .policy = PerMinute(5)});
    std::vector<std::string> command = value.command;
    command[1] = key;
    ASSERT_TRUE(redis_.Command(command).ok());
    std::vector<std::vector<TestCharge>> takes;
    for (int i = 0; i < 40; ++i) {
      takes.push_back({{.key = i == 20 ? "a" : absl::StrCat("other", i),
                        .policy = PerMinute(5)}});
    }
    for (const auto& outcomes :
         TakeAllAtOnce(*store_, takes, Accounting::kAllOrNothing, 4)) {
      EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    }
  }
}

// ratelimitd 0.1.0 refused for ever.
TEST_F(RedisForeignValuesTest, ACounterWithoutATimeToLiveIsRepaired) {
  for (const bool alone : {true, false}) {
    for (const Accounting accounting :
         {Accounting::kAllOrNothing, Accounting::kIndependent}) {
      clock_.Advance(2 * kWindow);
      std::vector<TestCharge> charges = {{.policy = PerMinute(5)}};
      const std::string key = KeyOf(charges[0]);
      if (!alone) charges.push_back({.key = "b", .policy = PerMinute(100)});
      for (int i = 0; i < 5; ++i) EXPECT_TRUE((*Take(charges))[0].allowed);
      EXPECT_TRUE(redis_.Command({"PERSIST", key}).ok());
      const double before = Repaired();
      // The value still counts: nothing is freed.
      EXPECT_FALSE((*Take(charges, accounting))[0].allowed);
      EXPECT_GT(Pttl(key), 0);
      EXPECT_EQ(Repaired(), before + 1);
      EXPECT_FALSE((*Take(charges, accounting))[0].allowed);
      EXPECT_EQ(Repaired(), before + 1);
      clock_.Advance(kWindow);
      EXPECT_TRUE((*Take(charges, accounting))[0].allowed);
    }
  }
}

// take.lua decides these.
TEST_F(RedisForeignValuesTest, APeekThatIsRefusedRepairsTheTimeToLive) {
  const TestCharge charge{.policy = PerMinute(5)};
  const std::string key = KeyOf(charge);
  ASSERT_TRUE(redis_.Command({"SET", key, "6"}).ok());
  TestCharge probe = charge;
  probe.kind = ChargeKind::kProbe;
  EXPECT_FALSE((*Take({probe}))[0].allowed);
  EXPECT_GT(Pttl(key), 0);
  EXPECT_EQ(Repaired(), 1);
  clock_.Advance(kWindow);
  EXPECT_TRUE((*Take({probe}))[0].allowed);
}

// The value of an operator counts, like one of a script.
TEST_F(RedisForeignValuesTest, ANumberThatAnOperatorSetsCounts) {
  const TestCharge charge{.policy = PerMinute(5)};
  const std::string key = KeyOf(charge);
  ASSERT_TRUE(redis_.Command({"SET", key, "3"}).ok());
  EXPECT_EQ((*Take({charge}))[0].remaining, 1);
  EXPECT_EQ((*Take({charge}))[0].remaining, 0);
  EXPECT_FALSE((*Take({charge}))[0].allowed);
  clock_.Advance(kWindow);
  EXPECT_EQ((*Take({charge}))[0].remaining, 4);
}

// A counter never gives more than its limit because of a lost time to live.
TEST_F(RedisForeignValuesTest, ARepairedCounterAdmitsNoMoreThanItsLimit) {
  const TestCharge charge{.policy = PerMinute(5)};
  const std::string key = KeyOf(charge);
  int admitted = 0;
  for (int i = 0; i < 40; ++i) {
    admitted += (*Take({charge}))[0].allowed ? 1 : 0;
    if (i % 3 == 0) redis_.Command({"PERSIST", key});
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(admitted, 5);
}

TEST_F(RedisForeignValuesTest, ValuesThatScriptsWriteAreNotRepaired) {
  for (const Shape& shape : Shapes()) {
    const TestCharge charge{.key = shape.name, .policy = shape.policy};
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(Take({charge}).ok());
      ASSERT_TRUE(Take({charge, {.key = "b", .policy = shape.policy}}).ok());
      clock_.Advance(absl::Seconds(7));
    }
  }
  EXPECT_EQ(Repaired(), 0);
}

// The servers of a store, and the keys on all of them.
struct Servers {
  std::vector<const RedisProcess*> all;

  // Runs a command whose second word is the key, for each key. Returns the
  // number of keys.
  size_t ForEachKey(std::vector<std::string> command) const {
    size_t keys = 0;
    for (const RedisProcess* const server : all) {
      for (const RedisReply& key : server->Command({"KEYS", "*"}).elements) {
        ++keys;
        command[1] = key.text;
        EXPECT_TRUE(server->Command(command).ok());
      }
    }
    return keys;
  }
};

// Takes of two counters on two servers: each take is split.
void ExpectSplitTakesHeal(CounterStore& store, const Servers& servers,
                          FakeClock& clock,
                          const std::vector<TestCharge>& charges,
                          absl::Duration longest) {
  const auto allowed = [&] {
    const auto outcomes = TakeAndWait(store, charges, Accounting::kAllOrNothing,
                                      absl::InfiniteFuture());
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() && (*outcomes)[0].allowed && (*outcomes)[1].allowed;
  };
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(allowed());
  EXPECT_EQ(servers.ForEachKey({"PERSIST", ""}), 2u);
  EXPECT_FALSE(allowed());
  clock.Advance(longest);
  EXPECT_TRUE(allowed());
  for (const char* text : {"garbage", "-7", "99999999999999999999"}) {
    servers.ForEachKey({"SET", "", text});
    EXPECT_TRUE(allowed()) << text;
  }
  servers.ForEachKey({"DEL", ""});
  EXPECT_TRUE(allowed());
  for (const RedisProcess* const server : servers.all) {
    for (const RedisReply& key : server->Command({"KEYS", "*"}).elements) {
      server->Command({"DEL", key.text});
      EXPECT_TRUE(server->Command({"HSET", key.text, "field", "1"}).ok());
    }
  }
  EXPECT_TRUE(allowed());
}

TEST(RedisForeignValuesOfAClusterTest, SplitTakesHealTheirCounters) {
  FakeClock clock;
  RedisCluster cluster({.clock = &clock});
  const auto store =
      NewReadyRedisStore(*ParseRedisUrl("redis+cluster://" + cluster.hosts()),
                         clock, {.deny_cache_entries = 0});
  Servers servers;
  for (size_t i = 0; i < cluster.size(); ++i) {
    servers.all.push_back(&cluster.node(i));
  }
  clock.Advance(absl::Seconds(5));
  ExpectSplitTakesHeal(*store, servers, clock,
                       {{.key = "a", .policy = PerMinute(5)},
                        {.key = "b", .policy = PerMinute(5)}},
                       kWindow);
}

TEST(RedisForeignValuesPerSecondTest, SplitTakesHealTheirCounters) {
  FakeClock clock;
  const RedisProcess rest({.clock = &clock});
  const RedisProcess per_second({.clock = &clock});
  const auto store = NewReadyRedisStore(
      rest, clock, {.deny_cache_entries = 0, .per_second = &per_second});
  clock.Advance(absl::Milliseconds(5100));
  ExpectSplitTakesHeal(
      *store, {{&rest, &per_second}}, clock,
      {{.key = "a", .policy = PerMinute(5)},
       {.key = "b", .policy = {.limit = 5, .window = absl::Seconds(1)}}},
      kWindow);
}

}  // namespace
}  // namespace rls
