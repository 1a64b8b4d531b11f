// Random histories on a store and on a naive model of it, a map of states that
// the arithmetic of `limit` is applied to: every outcome must be equal.

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "limit/judge.h"
#include "unit/counter_store_suite.h"

namespace rls {
namespace {

class Model {
 public:
  std::vector<Outcome> Take(const std::vector<TestCharge>& charges,
                            Accounting accounting, absl::Time now) {
    if (accounting == Accounting::kIndependent) {
      return Apply(states_, charges, accounting, now);
    }
    auto trial = states_;
    std::vector<Outcome> outcomes = Apply(trial, charges, accounting, now);
    bool denied = false;
    for (size_t i = 0; i < charges.size(); ++i) {
      denied |= charges[i].kind == ChargeKind::kEnforce && !outcomes[i].allowed;
    }
    if (!denied) {
      states_ = trial;
      return outcomes;
    }
    for (size_t i = 0; i < charges.size(); ++i) {
      const bool always =
          charges[i].kind == ChargeKind::kReport ||
          (charges[i].cost < 0 && charges[i].kind != ChargeKind::kPeek);
      if (!always && !outcomes[i].allowed) continue;
      const auto judged = Judge(charges[i].policy, states_[charges[i].key],
                                always ? charges[i].kind : ChargeKind::kPeek,
                                charges[i].cost, now);
      if (always) states_[charges[i].key] = judged.after;
      outcomes[i] = judged.outcome;
      outcomes[i].allowed = true;
      outcomes[i].retry_after = absl::ZeroDuration();
    }
    return outcomes;
  }

 private:
  using States = std::map<std::string, CounterState>;

  static std::vector<Outcome> Apply(States& states,
                                    const std::vector<TestCharge>& charges,
                                    Accounting accounting, absl::Time now) {
    std::vector<Outcome> outcomes;
    for (const TestCharge& charge : charges) {
      CounterState& state = states[charge.key];
      Judgement judged =
          Judge(charge.policy, state, charge.kind, charge.cost, now);
      if (!judged.outcome.allowed && accounting == Accounting::kIndependent &&
          charge.kind != ChargeKind::kPeek &&
          charge.policy.algorithm == Algorithm::kFixedWindow) {
        const auto counted =
            Judge(charge.policy, state, ChargeKind::kReport, charge.cost, now);
        judged.after = counted.after;
        judged.outcome.remaining = counted.outcome.remaining;
      }
      state = judged.after;
      outcomes.push_back(judged.outcome);
    }
    return outcomes;
  }

  States states_;
};

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}

  int Below(int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(engine_);
  }

  // A key keeps the shape and burst of its policy; limits change as by reloads.
  TestCharge Charge() {
    const int key = Below(6);
    TestCharge charge{.key = std::string(1, static_cast<char>('a' + key)),
                      .policy = PerMinute(1 + Below(12))};
    charge.policy.algorithm = static_cast<Algorithm>(key % 3);
    charge.policy.window = absl::Seconds(key < 3 ? 10 : 60);
    charge.policy.burst = key % 4;
    charge.policy.burst_mode = static_cast<BurstMode>(key / 3);
    charge.cost = Below(10) == 0 ? -Below(4) : Below(5);
    charge.kind = static_cast<ChargeKind>(Below(10) < 7 ? 0 : Below(4));
    return charge;
  }

 private:
  std::mt19937 engine_;
};

using CounterStoreModelTest = CounterStoreTest;

TEST_P(CounterStoreModelTest, RandomHistoriesHaveEqualOutcomes) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    store_ = GetParam().make(clock_);
    Model model;
    Dice dice(seed);
    for (int step = 0; step < 500; ++step) {
      std::vector<TestCharge> charges;
      for (int n = 1 + dice.Below(3); n > 0; --n) {
        charges.push_back(dice.Charge());
      }
      const auto accounting = static_cast<Accounting>(dice.Below(4) == 0);
      const auto expected = model.Take(charges, accounting, clock_.Now());
      const auto actual = Take(charges, accounting);
      for (size_t i = 0; i < charges.size(); ++i) {
        ASSERT_EQ(actual[i].allowed, expected[i].allowed) << step;
        ASSERT_EQ(actual[i].remaining, expected[i].remaining) << step;
        ASSERT_EQ(actual[i].reset_after, expected[i].reset_after) << step;
        ASSERT_EQ(actual[i].retry_after, expected[i].retry_after) << step;
      }
      Pass(absl::Milliseconds(dice.Below(4) == 0 ? dice.Below(40'000)
                                                 : dice.Below(300)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, CounterStoreModelTest,
                         ::testing::ValuesIn(AllStores()), NameOf);

}  // namespace
}  // namespace rls
