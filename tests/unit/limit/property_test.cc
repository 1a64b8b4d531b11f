#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"
#include "unit/limit/dice.h"

namespace rls {
namespace {

struct Admitted {
  int64_t at_ns = 0;
  int64_t cost = 0;
};

// The admitted charges of a random history of kEnforce. If the clock goes back
// behind an earlier admitted charge, the later charge counts at the earlier
// time: a clock that goes backwards must not free quota.
std::vector<Admitted> PlayEnforced(const Policy& policy, Dice& dice,
                                   bool backwards) {
  std::vector<Admitted> admitted;
  CounterState state;
  int64_t retry_ns = 0;
  int64_t now = kStartNs + dice.Below(WindowNs(policy));
  for (int i = 0; i < 60; ++i) {
    int64_t pause = dice.AnyPause(WindowNs(policy));
    if (backwards && dice.OneIn(3)) pause = -pause;
    // A greedy client retries exactly after retry_after.
    if (retry_ns > 0 && dice.OneIn(2)) pause = retry_ns;
    now += pause;
    const int64_t cost = dice.OneIn(2) ? 1 : 1 + dice.Below(Depth(policy) + 2);
    const Transition transition =
        Judge(policy, state, ChargeKind::kEnforce, cost, At(now));
    state = transition.after;
    const absl::Duration retry = transition.outcome.retry_after;
    retry_ns =
        retry < absl::InfiniteDuration() ? absl::ToInt64Nanoseconds(retry) : 0;
    if (!transition.outcome.allowed) continue;
    const int64_t held =
        admitted.empty() ? now : std::max(now, admitted.back().at_ns);
    admitted.push_back({held, cost});
  }
  return admitted;
}

void ExpectWindowsHold(const Policy& policy,
                       const std::vector<Admitted>& admitted) {
  std::map<int64_t, int64_t> used;  // by the window's number
  for (const Admitted& one : admitted) {
    used[one.at_ns / WindowNs(policy)] += one.cost;
  }
  for (auto first = used.begin(); first != used.end(); ++first) {
    if (policy.algorithm == Algorithm::kSlidingWindow) {
      EXPECT_LE(first->second, policy.limit);
      continue;
    }
    EXPECT_LE(first->second, policy.limit + policy.burst);
    if (policy.burst_mode == BurstMode::kUpfront) continue;
    int64_t total = 0;
    for (auto last = first; last != used.end(); ++last) {
      total += last->second;
      const int64_t windows = last->first - first->first + 1;
      EXPECT_LE(total, windows * policy.limit + policy.burst);
    }
  }
}

// Units admitted between two charges, from the first's time to the last's.
void ExpectSpansHold(const Policy& policy,
                     const std::vector<Admitted>& admitted) {
  const bool sliding = policy.algorithm == Algorithm::kSlidingWindow;
  const int64_t most =
      sliding ? 2 * policy.limit - 1 : policy.limit + policy.burst;
  for (size_t first = 0; first < admitted.size(); ++first) {
    int64_t total = 0;
    for (size_t last = first; last < admitted.size(); ++last) {
      total += admitted[last].cost;
      const int64_t span = admitted[last].at_ns - admitted[first].at_ns;
      if (span < WindowNs(policy)) {
        EXPECT_LE(total, most);
      }
      if (!sliding) {
        // Evenly paced beyond the burst, to the nanosecond.
        const absl::int128 beyond = total - policy.burst - 1;
        EXPECT_LT(beyond * WindowNs(policy),
                  absl::int128(span + 1) * policy.limit);
      }
    }
  }
}

class LimitProperty : public testing::TestWithParam<bool> {};

TEST_P(LimitProperty, NeverOverTheBoundInAnyWindow) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    const Policy policy = dice.AnyPolicy();
    const std::vector<Admitted> admitted =
        PlayEnforced(policy, dice, GetParam());
    if (policy.algorithm != Algorithm::kTokenBucket) {
      ExpectWindowsHold(policy, admitted);
    }
    if (policy.algorithm != Algorithm::kFixedWindow) {
      ExpectSpansHold(policy, admitted);
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Clock, LimitProperty, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& param) {
                           return param.param ? "GoesBackwards"
                                              : "GoesForwards";
                         });

// For histories of single units: a clock that goes backwards never admits more
// than a clock that stands still instead.
TEST(LimitClockProperty, AClockThatGoesBackwardsAdmitsNoMoreThanAHeldOne) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    const Policy policy = dice.AnyPolicy();
    CounterState real;
    CounterState held;
    int64_t now = kStartNs;
    int64_t latest = INT64_MIN;
    int64_t ahead = 0;
    for (int i = 0; i < 80; ++i) {
      const int64_t pause = dice.AnyPause(WindowNs(policy));
      now += dice.OneIn(3) ? -pause : pause;
      latest = std::max(latest, now);
      const Transition by_real =
          Judge(policy, real, ChargeKind::kEnforce, 1, At(now));
      const Transition by_held =
          Judge(policy, held, ChargeKind::kEnforce, 1, At(latest));
      real = by_real.after;
      held = by_held.after;
      ahead += by_real.outcome.allowed ? 1 : 0;
      ahead -= by_held.outcome.allowed ? 1 : 0;
      ASSERT_LE(ahead, 0) << "charge " << i;
    }
  }
}

}  // namespace
}  // namespace rls
