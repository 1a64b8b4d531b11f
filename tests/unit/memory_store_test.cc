#include "store_memory/memory_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "unit/counter_store_suite.h"

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

// What `threads` threads get together, each taking `takes` times.
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
  // A denied Take has consumed nothing of its other counters.
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
  // Each looks at some shards only, so the first may find no place yet; after
  // as many as there are shards every expired counter is gone.
  for (int user = 1000; user < 1016; ++user) Take(user);
  for (int user = 2000; user < 2050; ++user) EXPECT_TRUE(Take(user)) << user;
  EXPECT_LE(store_->size(), size_t{kMost});
}

}  // namespace
}  // namespace rls
