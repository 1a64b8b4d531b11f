// Many concurrent takes, so that a store can batch them. Their outcomes must be
// those of some sequential order.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "limit/judge.h"
#include "unit/store/counter_store_model.h"
#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

using Outcomes = std::vector<Outcome>;

bool Before(const Outcome& a, const Outcome& b) {
  const auto fields = [](const Outcome& outcome) {
    return std::make_tuple(outcome.allowed, outcome.remaining,
                           outcome.reset_after, outcome.retry_after);
  };
  return fields(a) < fields(b);
}

void Sort(std::vector<Outcomes>& all) {
  std::sort(all.begin(), all.end(), [](const Outcomes& a, const Outcomes& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        Before);
  });
}

Policy Hot(Algorithm algorithm, int64_t limit) {
  Policy policy = PerMinute(limit);
  policy.algorithm = algorithm;
  if (algorithm == Algorithm::kTokenBucket) policy.burst = limit - 1;
  return policy;
}

constexpr Algorithm kAlgorithms[] = {Algorithm::kFixedWindow,
                                     Algorithm::kSlidingWindow,
                                     Algorithm::kTokenBucket};

class CounterStoreRushTest : public CounterStoreTest {
 protected:
  std::vector<Outcomes> Rush(const std::vector<std::vector<TestCharge>>& takes,
                             Accounting accounting, size_t threads) {
    std::vector<Outcomes> all;
    for (auto& outcomes : TakeAllAtOnce(*store_, takes, accounting, threads)) {
      EXPECT_TRUE(outcomes.ok()) << outcomes.status();
      if (outcomes.ok()) all.push_back(*std::move(outcomes));
    }
    return all;
  }

  // Equal takes have only one order.
  void ExpectAsOneAfterTheOther(const std::vector<TestCharge>& charges,
                                Accounting accounting) {
    constexpr size_t kTakes = 400;
    for (const size_t threads : {1, 4}) {
      SCOPED_TRACE(threads);
      clock_.Advance(absl::Hours(1));
      CounterStoreModel model;
      std::vector<Outcomes> expected;
      for (size_t i = 0; i < kTakes; ++i) {
        expected.push_back(model.Take(charges, accounting, clock_.Now()));
      }
      std::vector<Outcomes> actual =
          Rush({kTakes, charges}, accounting, threads);
      if (GetParam().atomic || charges.size() == 1) {
        Sort(expected);
        Sort(actual);
        EXPECT_EQ(actual, expected);
      } else {
        EXPECT_EQ(Allowed(actual), Allowed(expected));
      }
      ExpectTheSameLeft(charges, accounting, model);
    }
  }

 private:
  // How often each charge was allowed.
  static std::vector<int> Allowed(const std::vector<Outcomes>& all) {
    std::vector<int> allowed;
    for (const Outcomes& outcomes : all) {
      allowed.resize(outcomes.size());
      for (size_t i = 0; i < outcomes.size(); ++i)
        allowed[i] += outcomes[i].allowed;
    }
    return allowed;
  }

  void ExpectTheSameLeft(std::vector<TestCharge> charges, Accounting accounting,
                         CounterStoreModel& model) {
    for (TestCharge& charge : charges) charge.kind = ChargeKind::kPeek;
    EXPECT_EQ(Take(charges, accounting),
              model.Take(charges, accounting, clock_.Now()));
  }
};

TEST_P(CounterStoreRushTest, OneHotCounterIsAsOneAfterTheOther) {
  for (const Algorithm algorithm : kAlgorithms) {
    for (const auto accounting :
         {Accounting::kAllOrNothing, Accounting::kIndependent}) {
      for (const ChargeKind kind : {ChargeKind::kEnforce, ChargeKind::kObserve,
                                    ChargeKind::kReport, ChargeKind::kPeek}) {
        const TestCharge charge{
            .key = absl::StrCat(algorithm, accounting, kind),
            .policy = Hot(algorithm, 1000),
            .cost = 3,
            .kind = kind};
        SCOPED_TRACE(::testing::PrintToString(charge));
        ExpectAsOneAfterTheOther({charge}, accounting);
      }
    }
  }
}

TEST_P(CounterStoreRushTest, OneHotCounterWithABurstIsAsOneAfterTheOther) {
  for (const auto mode : {BurstMode::kEarned, BurstMode::kUpfront}) {
    TestCharge charge{.key = absl::StrCat(mode), .policy = PerMinute(100)};
    charge.policy.burst = 7;
    charge.policy.burst_mode = mode;
    ExpectAsOneAfterTheOther({charge}, Accounting::kAllOrNothing);
  }
}

TEST_P(CounterStoreRushTest, AHotPairIsAsOneAfterTheOther) {
  const TestCharge scarce{.key = "scarce", .policy = PerMinute(150)};
  const TestCharge plenty{.key = "plenty", .policy = PerMinute(100'000)};
  for (const auto accounting :
       {Accounting::kAllOrNothing, Accounting::kIndependent}) {
    ExpectAsOneAfterTheOther({scarce, plenty}, accounting);
    ExpectAsOneAfterTheOther({plenty, scarce}, accounting);
    ExpectAsOneAfterTheOther({scarce, plenty, scarce}, accounting);
  }
}

// Charges of different costs have many possible orders. `remaining` after each
// charge reveals the order of the allowed ones. Each refused charge must be
// refused by one of the states between them.
TEST_P(CounterStoreRushTest, ChargesOfDifferentCostsHaveAnOrder) {
  std::mt19937 random(5);
  for (const Algorithm algorithm : kAlgorithms) {
    SCOPED_TRACE(AlgorithmWord(algorithm));
    const Policy policy = Hot(algorithm, 1000);
    std::vector<std::vector<TestCharge>> takes;
    for (int i = 0; i < 400; ++i) {
      takes.push_back({{.key = absl::StrCat(algorithm),
                        .policy = policy,
                        .cost = 1 + static_cast<int64_t>(random() % 9)}});
    }
    const auto all = Rush(takes, Accounting::kAllOrNothing, 4);
    ASSERT_EQ(all.size(), takes.size());
    std::vector<size_t> order(takes.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&all](size_t a, size_t b) {
      return all[a][0].remaining > all[b][0].remaining;
    });
    const auto judge = [&](const CounterState& state, size_t take) {
      return Judge(policy, state, ChargeKind::kEnforce, takes[take][0].cost,
                   clock_.Now());
    };
    std::vector<CounterState> states(1);
    for (const size_t take : order) {
      if (!all[take][0].allowed) continue;
      const Transition judged = judge(states.back(), take);
      ASSERT_EQ(all[take][0], judged.outcome);
      states.push_back(judged.after);
    }
    for (const size_t take : order) {
      if (all[take][0].allowed) continue;
      EXPECT_TRUE(std::any_of(states.begin(), states.end(),
                              [&](const CounterState& state) {
                                return judge(state, take).outcome ==
                                       all[take][0];
                              }))
          << all[take][0];
    }
  }
}

// Takes that share counters in all combinations. The counters are charged for
// exactly the admitted takes. A denied take was denied by an exhausted counter,
// or it is admitted when no other take is running.
TEST_P(CounterStoreRushTest, TakesOfSeveralCountersChargeAllOrNone) {
  constexpr int kUsers = 8;
  constexpr int64_t kLimit = 100;
  std::mt19937 random(6);
  std::vector<std::vector<TestCharge>> takes(1500);
  for (std::vector<TestCharge>& take : takes) {
    const unsigned first = random();
    for (unsigned i = 0; i < 2 + first % 2; ++i) {
      take.push_back({.key = absl::StrCat((first + i * 3) % kUsers),
                      .policy = PerMinute(kLimit)});
    }
  }
  auto all = Rush(takes, Accounting::kAllOrNothing, 4);
  ASSERT_EQ(all.size(), takes.size());
  const auto admitted = [](const Outcomes& outcomes) {
    return std::all_of(outcomes.begin(), outcomes.end(),
                       [](const Outcome& outcome) { return outcome.allowed; });
  };
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), admitted));
  for (size_t i = 0; i < all.size() && !GetParam().atomic; ++i) {
    if (!admitted(all[i])) all[i] = Take(takes[i]);
  }
  std::map<std::string, int64_t> charged;
  for (size_t i = 0; i < all.size(); ++i) {
    for (const TestCharge& charge : takes[i]) {
      charged[charge.key] += admitted(all[i]) ? 1 : 0;
    }
  }
  for (const auto& [key, count] : charged) {
    EXPECT_LE(count, kLimit);
    EXPECT_EQ(TakeOne({.key = key,
                       .policy = PerMinute(kLimit),
                       .kind = ChargeKind::kPeek})
                  .remaining,
              kLimit - count);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t n = 0; n < all[i].size(); ++n) {
      if (all[i][n].allowed) continue;
      EXPECT_EQ(charged[takes[i][n].key], kLimit);
    }
  }
}

TEST_P(CounterStoreRushTest, ThreadsThatWaitGetExactlyTheLimit) {
  for (const Algorithm algorithm : kAlgorithms) {
    const TestCharge charge{.key = absl::StrCat(algorithm),
                            .policy = Hot(algorithm, 500)};
    std::atomic<int> allowed{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i)
          allowed += TakeOne(charge).allowed ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(allowed, 500) << AlgorithmWord(algorithm);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, CounterStoreRushTest,
                         ::testing::ValuesIn(AllStores()), NameOf);

}  // namespace
}  // namespace rls
