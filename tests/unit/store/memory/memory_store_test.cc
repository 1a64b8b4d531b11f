#include "store/memory/memory_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "limit/judge.h"
#include "store/memory/counter_table.h"
#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

bool TakeOne(CounterStore& store, const TestCharge& charge) {
  const auto outcomes = TakeAndWait(store, {charge}, Accounting::kAllOrNothing,
                                    absl::InfiniteFuture());
  return outcomes.ok() && (*outcomes)[0].allowed;
}

// The units that `threads` threads get in total, with `takes` takes each.
template <typename TakeOnce>
int CountAllowed(int threads, int takes, TakeOnce take) {
  std::atomic<int> allowed{0};
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (int i = 0; i < takes; ++i) allowed += take(thread) ? 1 : 0;
    });
  }
  for (std::thread& thread : running) thread.join();
  return allowed;
}

class ConcurrencyTest : public ::testing::TestWithParam<Algorithm> {};

TEST_P(ConcurrencyTest, ThreadsTogetherGetExactlyTheLimit) {
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  TestCharge charge{.policy = PerMinute(1000)};
  charge.policy.algorithm = GetParam();
  if (GetParam() == Algorithm::kTokenBucket) charge.policy.burst = 999;
  EXPECT_EQ(CountAllowed(8, 1000, [&](int) { return TakeOne(*store, charge); }),
            1000);
}

TEST_P(ConcurrencyTest, IndependentThreadsTogetherGetExactlyTheLimit) {
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  TestCharge charge{.policy = PerMinute(1000)};
  charge.policy.algorithm = GetParam();
  if (GetParam() == Algorithm::kTokenBucket) charge.policy.burst = 999;
  const TestCharge other{.key = "other", .policy = PerMinute(1'000'000)};
  const int allowed = CountAllowed(8, 1000, [&](int) {
    return (*TakeAndWait(*store, {charge, other}, Accounting::kIndependent,
                         absl::InfiniteFuture()))[0]
        .allowed;
  });
  EXPECT_EQ(allowed, 1000);
  // `other` is charged even if the first charge of its take is refused.
  TestCharge peek = other;
  peek.kind = ChargeKind::kPeek;
  EXPECT_EQ((*TakeAndWait(*store, {peek}, Accounting::kIndependent,
                          absl::InfiniteFuture()))[0]
                .remaining,
            1'000'000 - 8000);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, ConcurrencyTest,
                         ::testing::Values(Algorithm::kFixedWindow,
                                           Algorithm::kSlidingWindow,
                                           Algorithm::kTokenBucket));

TEST(MemoryStoreTest, TakesOfSeveralCountersInAnyOrderAreExact) {
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  std::vector<TestCharge> forward;
  for (int i = 0; i < 8; ++i) {
    forward.push_back({.key = absl::StrCat("key", i),
                       .policy = PerMinute(i == 3 ? 500 : 100'000)});
  }
  const std::vector<TestCharge> backward(forward.rbegin(), forward.rend());
  const int allowed = CountAllowed(8, 200, [&](int thread) {
    const auto outcomes =
        TakeAndWait(*store, thread % 2 == 0 ? forward : backward,
                    Accounting::kAllOrNothing, absl::InfiniteFuture());
    for (const Outcome& outcome : *outcomes) {
      if (!outcome.allowed) return false;
    }
    return true;
  });
  EXPECT_EQ(allowed, 500);
  // A denied take consumes nothing of its other counters.
  TestCharge peek = forward[0];
  peek.kind = ChargeKind::kPeek;
  EXPECT_EQ((*TakeAndWait(*store, {peek}, Accounting::kAllOrNothing,
                          absl::InfiniteFuture()))[0]
                .remaining,
            100'000 - 500);
}

TEST(MemoryStoreTest, AMillionUsersCostAtMost96BytesEach) {
  constexpr int kUsers = 1'000'000;
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  const std::string long_prefix(200, 'x');
  const size_t before = ResidentBytes();
  for (int user = 0; user < kUsers; ++user) {
    ASSERT_TRUE(TakeOne(*store, {.key = absl::StrCat(long_prefix, user),
                                 .policy = PerMinute(1)}));
  }
  EXPECT_EQ(store->size(), size_t{kUsers});
#if defined(RLS_SANITIZED)
  (void)before;
#else
  EXPECT_LE((ResidentBytes() - before) / kUsers, 96u);
#endif
  for (int user = 0; user < kUsers; user += 997) {
    EXPECT_FALSE(TakeOne(*store, {.key = absl::StrCat(long_prefix, user),
                                  .policy = PerMinute(1)}));
  }
}

// Made-up keys fill the store up to its bytes. Nothing else grows, and users
// that are known stay known.
TEST(MemoryStoreTest, AFloodOfNewKeysStaysWithinTheBytes) {
  constexpr size_t kMaxBytes = size_t{16} << 20;
  constexpr size_t kMost = kMaxBytes / kBytesPerCounter;
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {.max_bytes = kMaxBytes});
  const size_t before = ResidentBytes();
  EXPECT_TRUE(TakeOne(*store, {.key = "known", .policy = PerMinute(1)}));
  size_t full = 0;
  for (size_t user = 0; user < 2 * kMost; ++user) {
    const auto outcomes = TakeAndWait(
        *store, {{.key = absl::StrCat(user), .policy = PerMinute(1)}},
        Accounting::kAllOrNothing, absl::InfiniteFuture());
    full += absl::IsResourceExhausted(outcomes.status()) ? 1 : 0;
  }
  EXPECT_EQ(store->size(), kMost);
  EXPECT_EQ(full, 2 * kMost - (kMost - 1));
#if defined(RLS_SANITIZED)
  (void)before;
#else
  EXPECT_LE(ResidentBytes() - before, kMaxBytes);
#endif
  EXPECT_FALSE(TakeOne(*store, {.key = "known", .policy = PerMinute(1)}));
}

// Counters that a clock made in the future would otherwise fill the store until
// the clock gets there again.
TEST(MemoryStoreTest, CountersOfAClockThatWasAheadLeaveTheStore) {
  constexpr int kMost = 5000;
  FakeClock clock;
  const auto store = NewMemoryStore(clock, {.max_counters = kMost});
  const absl::Time start = clock.Now();
  clock.Advance(absl::Hours(24 * 366 * 10));
  for (int user = 0; user < kMost; ++user) {
    ASSERT_TRUE(TakeOne(
        *store, {.key = absl::StrCat("early", user), .policy = PerMinute(1)}));
  }
  clock.Set(start);
  const auto admitted = [&](absl::string_view name) {
    int count = 0;
    for (int user = 0; user < kMost; ++user) {
      count += TakeOne(
          *store, {.key = absl::StrCat(name, user), .policy = PerMinute(1)});
    }
    return count;
  };
  // Known users are refused until their window ends.
  EXPECT_EQ(admitted("early"), 0);
  clock.Advance(absl::Hours(1) + absl::Minutes(2));
  EXPECT_EQ(admitted("late"), kMost);
}

TEST(MemoryStoreTest, CountersOfTheFutureThatNobodyAsksForLeaveTheStore) {
  constexpr int kMost = 5000;
  FakeClock clock;
  const auto store = NewMemoryStore(clock, {.max_counters = kMost});
  const absl::Time start = clock.Now();
  clock.Advance(absl::Hours(24 * 366 * 10));
  for (int user = 0; user < kMost; ++user) {
    TakeOne(*store, {.key = absl::StrCat(user), .policy = PerMinute(1)});
  }
  clock.Set(start + absl::Hours(2));
  int admitted = 0;
  for (int round = 0; round < 2; ++round) {
    for (int user = 0; user < kMost; ++user) {
      admitted += TakeOne(
          *store, {.key = absl::StrCat("new", user), .policy = PerMinute(1)});
    }
    clock.Advance(absl::Hours(2));
  }
  EXPECT_GE(admitted, kMost);
}

TEST(MemoryStoreTest, LooksAndRefusalsMakeNoCounter) {
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  TakeOne(*store, {.policy = PerMinute(1), .kind = ChargeKind::kPeek});
  TakeOne(*store, {.policy = PerMinute(0)});
  EXPECT_EQ(store->size(), 0u);
}

class FullStoreTest : public ::testing::Test {
 protected:
  static constexpr int kMost = 100;

  bool Take(int user, absl::Duration window = absl::Minutes(1)) {
    return TakeOne(*store_, {.key = absl::StrCat(user),
                             .policy = {.limit = 1, .window = window}});
  }

  FakeClock clock_;
  std::unique_ptr<MemoryStore> store_ =
      NewMemoryStore(clock_, {.max_counters = kMost});
};

TEST_F(FullStoreTest, NeverDropsALiveCounter) {
  for (int user = 0; user < kMost; ++user) EXPECT_TRUE(Take(user));
  const auto refused =
      TakeAndWait(*store_, {{.key = "one more", .policy = PerMinute(1)}},
                  Accounting::kAllOrNothing, absl::InfiniteFuture());
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  for (int user = 0; user < kMost; ++user) EXPECT_FALSE(Take(user)) << user;
  EXPECT_EQ(store_->size(), size_t{kMost});
}

TEST_F(FullStoreTest, ATakeThatDoesNotFitChargesNoneOfItsCounters) {
  for (int user = 1; user < kMost; ++user) EXPECT_TRUE(Take(user));
  const auto refused =
      TakeAndWait(*store_,
                  {{.key = "x", .policy = PerMinute(1)},
                   {.key = "y", .policy = PerMinute(1)}},
                  Accounting::kAllOrNothing, absl::InfiniteFuture());
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_EQ(store_->size(), size_t{kMost - 1});
  EXPECT_TRUE(TakeOne(*store_, {.key = "x", .policy = PerMinute(1)}));
}

TEST_F(FullStoreTest, ExpiredCountersGiveTheirPlacesAway) {
  for (int user = 0; user < kMost; ++user) EXPECT_TRUE(Take(user));
  clock_.Advance(absl::Minutes(2));
  for (int user = 0; user < kMost; ++user) {
    EXPECT_TRUE(Take(1000 + user)) << user;
  }
  EXPECT_FALSE(Take(2000));
  EXPECT_EQ(store_->size(), size_t{kMost});
}

TEST_F(FullStoreTest, TheOnlyExpiredCounterIsFoundInAnyShard) {
  for (int user = 0; user < kMost; ++user) {
    EXPECT_TRUE(Take(user, user == 42 ? absl::Minutes(1) : absl::Hours(1)));
  }
  EXPECT_FALSE(Take(1000));
  clock_.Advance(absl::Minutes(1));
  EXPECT_TRUE(Take(1000, absl::Hours(1)));
  EXPECT_FALSE(Take(1001));
  for (int user = 0; user < kMost; ++user) {
    EXPECT_EQ(Take(user, absl::Hours(1)), false) << user;
  }
}

TEST_F(FullStoreTest, AnExistingCounterIsStillCharged) {
  for (int user = 0; user < kMost; ++user) {
    EXPECT_TRUE(
        TakeOne(*store_, {.key = absl::StrCat(user), .policy = PerMinute(2)}));
  }
  EXPECT_TRUE(TakeOne(*store_, {.key = "7", .policy = PerMinute(2)}));
  EXPECT_FALSE(TakeOne(*store_, {.key = "7", .policy = PerMinute(2)}));
  // A look and a refusal need no new counter.
  EXPECT_TRUE(TakeOne(
      *store_,
      {.key = "new", .policy = PerMinute(1), .kind = ChargeKind::kPeek}));
  EXPECT_TRUE(TakeAndWait(*store_, {{.key = "new", .policy = PerMinute(0)}},
                          Accounting::kAllOrNothing, absl::InfiniteFuture())
                  .ok());
}

TEST_F(FullStoreTest, ThreadsTogetherNeverExceedMaxCounters) {
  std::atomic<int> next{0};
  const int admitted =
      CountAllowed(8, 100, [&](int) { return Take(next.fetch_add(1)); });
  EXPECT_EQ(admitted, kMost);
  EXPECT_EQ(store_->size(), size_t{kMost});
}

TEST(MemoryStoreTest, ATakeOfMoreCountersThanThereMayBeIsRefused) {
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {.max_counters = 20});
  std::vector<TestCharge> charges;
  for (int i = 0; i <= 20; ++i) {
    charges.push_back({.key = absl::StrCat(i), .policy = PerMinute(1)});
  }
  const auto take = [&] {
    return TakeAndWait(*store, charges, Accounting::kAllOrNothing,
                       absl::InfiniteFuture())
        .status();
  };
  EXPECT_TRUE(absl::IsResourceExhausted(take())) << take();
  EXPECT_EQ(store->size(), 0u);
  charges.pop_back();
  EXPECT_TRUE(take().ok());
  EXPECT_EQ(store->size(), 20u);
}

// No take fails because the store is full: expired counters are dropped as fast
// as new ones are added.
TEST(MemoryStoreTest, ExpiredCountersGoWhileNewOnesCome) {
  FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  constexpr size_t kPerMinute = 20'000;
  int user = 0;
  for (int minute = 0; minute < 10; ++minute) {
    for (size_t i = 0; i < kPerMinute; ++i) {
      ASSERT_TRUE(TakeOne(
          *store, {.key = absl::StrCat(user++), .policy = PerMinute(1)}));
    }
    clock.Advance(absl::Minutes(1));
  }
  EXPECT_LE(store->size(), 2 * kPerMinute);
}

// New counters move other counters in memory during a take.
TEST(MemoryStoreTest, NewCountersDoNotDisturbOldOnesOfTheirTake) {
  const FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  std::vector<int64_t> left(4000, 1'000'000);
  std::mt19937 random(3);
  for (size_t users = 0; users < left.size();) {
    std::vector<size_t> taken;
    for (int i = 0; i < 12 && users > 0; ++i) taken.push_back(random() % users);
    for (int i = 0; i < 4; ++i) taken.push_back(users++);
    std::vector<TestCharge> charges;
    for (const size_t user : taken) {
      charges.push_back(
          {.key = absl::StrCat(user), .policy = PerMinute(1'000'000)});
    }
    const auto outcomes = TakeAndWait(
        *store, charges, Accounting::kAllOrNothing, absl::InfiniteFuture());
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    for (size_t i = 0; i < taken.size(); ++i) {
      ASSERT_EQ((*outcomes)[i].remaining, --left[taken[i]]) << users;
    }
  }
}

// Charges of other counters drop expired counters. The model drops nothing, and
// all outcomes must still be equal.
TEST(MemoryStoreTest, DroppingExpiredCountersChangesNoOutcome) {
  FakeClock clock;
  const auto store = NewMemoryStore(clock, {.max_counters = 1500});
  std::vector<CounterState> states(3000);
  std::mt19937 random(7);
  for (int step = 0; step < 200'000; ++step) {
    const size_t user = random() % states.size();
    TestCharge charge{.key = absl::StrCat(user), .policy = PerMinute(5)};
    charge.policy.algorithm = static_cast<Algorithm>(user % 3);
    charge.policy.window = absl::Seconds(1 + user % 4);
    charge.policy.burst = user % 5 == 0 ? 3 : 0;
    charge.cost = 1 + static_cast<int64_t>(random() % 3);
    const Transition judged = Judge(charge.policy, states[user], charge.kind,
                                    charge.cost, clock.Now());
    states[user] = judged.after;
    const auto outcomes = TakeAndWait(
        *store, {charge}, Accounting::kAllOrNothing, absl::InfiniteFuture());
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    ASSERT_EQ((*outcomes)[0].allowed, judged.outcome.allowed) << step;
    ASSERT_EQ((*outcomes)[0].remaining, judged.outcome.remaining) << step;
    ASSERT_EQ((*outcomes)[0].retry_after, judged.outcome.retry_after) << step;
    clock.Advance(absl::Milliseconds(random() % 20));
  }
}

Hash128 KeyOf(uint64_t number) {
  return SipHash128({}, {reinterpret_cast<const char*>(&number), 8});
}

void Add(CounterTable& table, const Hash128& key, uint32_t expires_s) {
  CounterTable::Counter& counter = table.Insert(key);
  counter.state.used = expires_s;
  counter.expires_s = expires_s;
}

TEST(CounterTableTest, AnEmptyTableHasNothing) {
  CounterTable table;
  table.Prefetch(KeyOf(1));
  EXPECT_EQ(table.Find(KeyOf(1)), nullptr);
  EXPECT_EQ(table.Find({}), nullptr);
  EXPECT_EQ(table.Sweep(UINT32_MAX, 100).dropped, 0u);
}

// All keys have the same bucket bits: one long chain.
TEST(CounterTableTest, CountersOfOneBucketStayApart) {
  CounterTable table;
  for (uint64_t i = 0; i < 100; ++i) Add(table, {.low = i, .high = 5}, 10);
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_NE(table.Find({.low = i, .high = 5}), nullptr) << i;
  }
  EXPECT_EQ(table.Find({.low = 100, .high = 5}), nullptr);
  EXPECT_EQ(table.Sweep(10, table.buckets()).dropped, 100u);
  EXPECT_EQ(table.Find({.low = 7, .high = 5}), nullptr);
}

TEST(CounterTableTest, ASweepReturnsTheEarliestExpiryThatStays) {
  CounterTable table;
  for (uint32_t i = 1; i <= 1000; ++i) Add(table, KeyOf(i), i);
  const CounterTable::Swept swept = table.Sweep(300, table.buckets());
  EXPECT_EQ(swept.dropped, 300u);
  EXPECT_EQ(swept.earliest_s, 301u);
}

TEST(CounterTableTest, SmallSweepsComeRoundToEveryCounter) {
  CounterTable table;
  for (uint32_t i = 0; i < 1000; ++i) Add(table, KeyOf(i), 10);
  size_t dropped = 0;
  for (size_t steps = 0; steps < table.buckets(); steps += 4) {
    dropped += table.Sweep(10, 4).dropped;
  }
  EXPECT_EQ(dropped, 1000u);
}

TEST(CounterTableTest, RandomHistoriesAreThoseOfAMap) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    CounterTable table;
    std::map<uint64_t, uint32_t> model;
    for (uint32_t now_s = 1; now_s < 3000; ++now_s) {
      const uint64_t number = random() % 700;
      CounterTable::Counter* const found = table.Find(KeyOf(number));
      ASSERT_EQ(found != nullptr, model.count(number) > 0) << now_s;
      if (found == nullptr) {
        model[number] = now_s + 1 + random() % 900;
        Add(table, KeyOf(number), model[number]);
      } else {
        ASSERT_EQ(found->state.used, model[number]);
      }
      if (random() % 100 != 0) continue;
      const size_t before = model.size();
      std::erase_if(model, [now_s](const auto& counter) {
        return counter.second <= now_s;
      });
      ASSERT_EQ(table.Sweep(now_s, table.buckets()).dropped,
                before - model.size());
    }
  }
}

}  // namespace
}  // namespace rls
