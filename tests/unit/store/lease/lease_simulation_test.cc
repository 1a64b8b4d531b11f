// The bounds of docs/LEASES.md, on random histories of replicas that lose
// messages, slow down and die.

#include "unit/store/lease/lease_simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace rls {
namespace {

#if defined(RLS_SANITIZED)
constexpr unsigned kSeeds = 2;  // each is ten times slower
#else
constexpr unsigned kSeeds = 6;
#endif

Policy PerTenSeconds(Algorithm algorithm) {
  return {.algorithm = algorithm,
          .limit = 4000,
          .burst = algorithm == Algorithm::kTokenBucket ? 800 : 0,
          .window = absl::Seconds(10)};
}

SimulationPlan Troubled(Algorithm algorithm, unsigned seed) {
  return {.seed = seed,
          .policy = PerTenSeconds(algorithm),
          .length = absl::Seconds(40),
          .lost_ppt = 10,
          .slow_ppt = 20,
          .mean_life = absl::Seconds(5)};
}

// Never admits more than the limit. Admits fewer units only by the lost units
// and by the units that replicas may have on hand at the end of the window.
void CheckWindows(const SimulationPlan& plan, const LeaseSimulation& world) {
  const int64_t held = plan.replicas * world.share();
  const auto first = std::next(world.windows().begin());
  const auto last = std::prev(world.windows().end());
  ASSERT_NE(first, last);
  int full = 0;
  for (auto window = first; window != last; ++window) {
    const WindowSum& sum = window->second;
    EXPECT_LE(sum.admitted, plan.policy.limit);
    EXPECT_GE(sum.admitted + sum.lost,
              std::min(sum.offered, plan.policy.limit) - held);
    full += sum.offered >= plan.policy.limit ? 1 : 0;
  }
  EXPECT_GT(full, 1) << "no window was used up";
}

void CheckHistories(SimulationPlan plan) {
  for (plan.seed = 1; plan.seed <= kSeeds; ++plan.seed) {
    SCOPED_TRACE(plan.seed);
    LeaseSimulation world(plan);
    world.Run();
    CheckWindows(plan, world);
    EXPECT_EQ(world.crashes() > 0, plan.mean_life > absl::ZeroDuration());
  }
}

TEST(LeaseSimulationTest, WithoutFaultsTheLimitIsKeptAndUsed) {
  CheckHistories({.policy = PerTenSeconds(Algorithm::kFixedWindow),
                  .length = absl::Seconds(40)});
}

TEST(LeaseSimulationTest, LostAnswersOnlyCostUnits) {
  CheckHistories({.policy = PerTenSeconds(Algorithm::kFixedWindow),
                  .length = absl::Seconds(40),
                  .lost_ppt = 50});
}

TEST(LeaseSimulationTest, SlowNetworksOnlyCostUnits) {
  CheckHistories({.policy = PerTenSeconds(Algorithm::kFixedWindow),
                  .length = absl::Seconds(40),
                  .slow_ppt = 200});
}

TEST(LeaseSimulationTest, CrashesOnlyCostUnits) {
  CheckHistories({.policy = PerTenSeconds(Algorithm::kFixedWindow),
                  .length = absl::Seconds(40),
                  .lost_ppt = 10,
                  .slow_ppt = 20,
                  .mean_life = absl::Seconds(3)});
}

TEST(LeaseSimulationTest, WindowsOfASecondAreKeptAndUsed) {
  SimulationPlan plan{.policy = PerTenSeconds(Algorithm::kFixedWindow),
                      .lost_ppt = 10,
                      .slow_ppt = 20};
  plan.policy.window = absl::Seconds(1);
  plan.policy.limit = 400;
  CheckHistories(plan);
}

// Alternating load: replicas have many units on hand when a window ends, and
// the next window is used up.
TEST(LeaseSimulationTest, NothingIsCarriedIntoTheNextWindow) {
  SimulationPlan plan{.policy = PerTenSeconds(Algorithm::kFixedWindow),
                      .alternates = true};
  plan.policy.window = absl::Seconds(1);
  plan.policy.limit = 2000;
  plan.least_rate = 1;
  plan.most_rate = 4;
  plan.terms.ttl = absl::Milliseconds(200);
  plan.terms.max_share_ppm = 100'000;
  CheckHistories(plan);
  // Lost messages would hide a few units too many. Late messages must arrive.
  plan.slow_ppt = 100;
  CheckHistories(plan);
}

TEST(LeaseSimulationTest, SlidingWindowsNeverPassTheirLimit) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    const SimulationPlan plan = Troubled(Algorithm::kSlidingWindow, seed);
    LeaseSimulation world(plan);
    world.Run();
    for (const auto& [start, sum] : world.windows()) {
      EXPECT_LE(sum.admitted, plan.policy.limit) << seed << " " << start;
    }
  }
}

// Units may be used up to a ttl after they were charged. So a span of a
// window's length may use the units that were charged in a span longer by a
// ttl.
TEST(LeaseSimulationTest, BucketsPassTheirLimitByNoMoreThanATtlGives) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    const SimulationPlan plan = Troubled(Algorithm::kTokenBucket, seed);
    LeaseSimulation world(plan);
    world.Run();
    const Policy& policy = plan.policy;
    const int64_t most = policy.limit + policy.burst +
                         policy.limit *
                             (plan.terms.ttl / absl::Milliseconds(1)) /
                             (policy.window / absl::Milliseconds(1));
    int64_t in_span = 0;
    auto oldest = world.admitted().begin();
    for (const auto& [at, units] : world.admitted()) {
      in_span += units;
      for (; oldest->first <= at - policy.window; ++oldest) {
        in_span -= oldest->second;
      }
      ASSERT_LE(in_span, most) << seed;
    }
  }
}

TEST(LeaseSimulationTest, AHotCounterAsksTheStoreTwentyTimesLessOften) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    for (const Algorithm algorithm :
         {Algorithm::kFixedWindow, Algorithm::kSlidingWindow,
          Algorithm::kTokenBucket}) {
      SimulationPlan plan{.seed = seed, .policy = PerTenSeconds(algorithm)};
      plan.policy.limit = 1'000'000;
      LeaseSimulation below(plan);
      below.Run();
      EXPECT_GE(below.requests(), 20 * below.takes())
          << AlgorithmWord(algorithm);
    }
    // The load is far above the limit.
    LeaseSimulation above(
        {.seed = seed, .policy = PerTenSeconds(Algorithm::kFixedWindow)});
    above.Run();
    EXPECT_GE(above.requests(), 20 * above.takes());
  }
}

TEST(LeaseSimulationTest, AHistoryOfASeedIsAlwaysTheSame) {
  const SimulationPlan plan{.policy = PerTenSeconds(Algorithm::kFixedWindow),
                            .length = absl::Seconds(2),
                            .lost_ppt = 50};
  LeaseSimulation once(plan);
  LeaseSimulation again(plan);
  once.Run();
  again.Run();
  EXPECT_EQ(once.requests(), again.requests());
  EXPECT_EQ(once.takes(), again.takes());
}

}  // namespace
}  // namespace rls
