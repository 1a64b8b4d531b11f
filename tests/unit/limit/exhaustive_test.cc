#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"

// All histories up to a small length, compared with slow and obvious reference
// implementations. They use whole seconds, and their only state is the history.

namespace rls {
namespace {

constexpr int64_t kStart = 1'700'002'800;  // a whole hour, in Unix seconds

struct Event {
  ChargeKind kind = ChargeKind::kEnforce;
  int64_t cost = 0;
};

constexpr Event kEvents[] = {
    {ChargeKind::kEnforce, -1}, {ChargeKind::kEnforce, 0},
    {ChargeKind::kEnforce, 1},  {ChargeKind::kEnforce, 2},
    {ChargeKind::kEnforce, 3},  {ChargeKind::kReport, 2}};

struct Expected {
  bool allowed = true;
  int64_t remaining = 0;
  std::optional<int64_t> reset_s;  // no value: not checked
  std::optional<int64_t> retry_s;  // no value: never
};

// Remembers the used units of each window, and computes the bank by walking
// from the first window to the current one.
class NaiveFixedWindow {
 public:
  explicit NaiveFixedWindow(const Policy& policy)
      : policy_(policy), window_s_(absl::ToInt64Seconds(policy.window)) {}

  Expected Play(const Event& event, int64_t now) {
    const int64_t window = now / window_s_;
    const int64_t left = Left(window);
    const bool always = event.kind == ChargeKind::kReport || event.cost < 0;
    Expected expected;
    expected.reset_s = (window + 1) * window_s_ - now;
    expected.allowed = always || event.cost <= left;
    if (!expected.allowed) {
      for (int64_t n = 1; n <= 20 && !expected.retry_s; ++n) {
        if (event.cost > Left(window + n)) continue;
        expected.retry_s = (window + n) * window_s_ - now;
      }
    } else if (event.cost != 0) {
      used_[window] = std::max<int64_t>(0, used_[window] + event.cost);
    }
    expected.remaining = std::max<int64_t>(0, Left(window));
    return expected;
  }

 private:
  int64_t Left(int64_t window) const {
    const auto used = used_.find(window);
    const int64_t spent = used == used_.end() ? 0 : used->second;
    if (policy_.burst_mode == BurstMode::kUpfront) {
      return policy_.limit + policy_.burst - spent;
    }
    return policy_.limit + BankBefore(window) - spent;
  }

  int64_t BankBefore(int64_t window) const {
    if (used_.empty()) return 0;
    int64_t bank = 0;
    int64_t idle = 0;
    bool known = false;  // a forgotten user earns nothing
    for (int64_t w = used_.begin()->first; w < window; ++w) {
      const auto used = used_.find(w);
      if (used == used_.end()) {
        ++idle;
        if (known) bank = std::min(policy_.burst, bank + policy_.limit);
        if (idle < kBankedWindows) continue;
        bank = 0;
        known = false;
        continue;
      }
      idle = 0;
      known = true;
      const int64_t own = std::max<int64_t>(0, policy_.limit - used->second);
      const int64_t from_bank =
          std::max<int64_t>(0, used->second - policy_.limit);
      bank = std::max<int64_t>(0, bank - from_bank);
      bank = std::min(policy_.burst, bank + own);
    }
    return bank;
  }

  const Policy policy_;
  const int64_t window_s_;
  std::map<int64_t, int64_t> used_;  // by the window's number
};

// A bucket with an exact level: it counts units of 1/window-length, so each
// second adds `limit` of them.
class NaiveTokenBucket {
 public:
  explicit NaiveTokenBucket(const Policy& policy)
      : policy_(policy),
        unit_(absl::ToInt64Seconds(policy.window)),
        depth_((policy.burst + 1) * unit_),
        level_(depth_) {}

  Expected Play(const Event& event, int64_t now) {
    level_ = std::min(depth_, level_ + (now - last_) * policy_.limit);
    last_ = now;
    const int64_t cost = event.cost * unit_;
    const bool always = event.kind == ChargeKind::kReport || event.cost < 0;
    Expected expected;
    expected.allowed = always || cost <= level_;
    if (expected.allowed) {
      level_ = std::min(depth_, level_ - cost);
    } else if (cost <= depth_) {
      expected.retry_s = (cost - level_) / policy_.limit;
    }
    expected.remaining = std::max<int64_t>(0, level_) / unit_;
    expected.reset_s = (depth_ - level_) / policy_.limit;
    return expected;
  }

 private:
  const Policy policy_;
  const int64_t unit_;
  const int64_t depth_;
  int64_t level_;
  int64_t last_ = 0;
};

// Weighs the used units of the previous window by its share of the span of one
// window's length that ends now. Fractions are exact.
class NaiveSlidingWindow {
 public:
  explicit NaiveSlidingWindow(const Policy& policy)
      : policy_(policy), window_s_(absl::ToInt64Seconds(policy.window)) {}

  Expected Play(const Event& event, int64_t now) {
    const bool always = event.kind == ChargeKind::kReport || event.cost < 0;
    Expected expected;
    expected.allowed = always || event.cost <= Left(now);
    if (expected.allowed && event.cost != 0) {
      int64_t& used = used_[now / window_s_];
      used = std::max<int64_t>(0, used + event.cost);
    }
    for (int64_t n = 1; n <= 3 * window_s_ && !expected.allowed; ++n) {
      if (event.cost > Left(now + n)) continue;
      expected.retry_s = n;
      break;
    }
    expected.remaining = std::max<int64_t>(0, Left(now));
    // Units of this window count until the next window ends.
    const int64_t in_sight = Used(now / window_s_) > 0 ? window_s_ : 0;
    expected.reset_s = window_s_ - now % window_s_ + in_sight;
    return expected;
  }

 private:
  int64_t Used(int64_t window) const {
    const auto used = used_.find(window);
    return used == used_.end() ? 0 : used->second;
  }
  int64_t Left(int64_t now) const {
    const int64_t in_sight = window_s_ - now % window_s_;
    const int64_t free_times_window =
        (policy_.limit - Used(now / window_s_)) * window_s_ -
        Used(now / window_s_ - 1) * in_sight;
    // Rounded down: a unit counts until it has faded completely.
    return free_times_window < 0 ? -1 : free_times_window / window_s_;
  }

  const Policy policy_;
  const int64_t window_s_;
  std::map<int64_t, int64_t> used_;
};

// The bounds of retry_after that follow from the reference's whole seconds.
enum class Retry { kExact, kRoundedUp };

struct Plan {
  Policy policy;
  std::vector<int64_t> pauses_s;
  int length = 0;
  Retry retry = Retry::kExact;
};

template <typename Reference>
class Explorer {
 public:
  explicit Explorer(const Plan& plan) : plan_(plan) {}

  void Run() { Extend(CounterState(), Reference(plan_.policy), kStart, ""); }

 private:
  void Extend(const CounterState& state, const Reference& reference,
              int64_t now, const std::string& history) {
    const auto depth =
        static_cast<int>(std::count(history.begin(), history.end(), ' '));
    if (depth == plan_.length) return;
    for (const int64_t pause : plan_.pauses_s) {
      for (const Event& event : kEvents) {
        Reference expecting = reference;
        const Expected expected = expecting.Play(event, now + pause);
        const Transition transition =
            Judge(plan_.policy, state, event.kind, event.cost,
                  absl::FromUnixSeconds(now + pause));
        const std::string longer =
            history + "+" + std::to_string(pause) +
            "s:" + (event.kind == ChargeKind::kReport ? "report" : "") +
            std::to_string(event.cost) + " ";
        Compare(transition.outcome, expected, longer);
        if (testing::Test::HasFailure()) return;
        Extend(transition.after, expecting, now + pause, longer);
      }
    }
  }

  void Compare(const Outcome& outcome, const Expected& expected,
               const std::string& history) const {
    absl::Duration retry = outcome.retry_after;
    if (plan_.retry == Retry::kRoundedUp) {
      retry = absl::Ceil(retry, absl::Seconds(1));
    }
    absl::Duration wanted = absl::ZeroDuration();
    if (!expected.allowed) {
      wanted = expected.retry_s ? absl::Seconds(*expected.retry_s)
                                : absl::InfiniteDuration();
    }
    const bool same = outcome.allowed == expected.allowed &&
                      outcome.remaining == expected.remaining &&
                      retry == wanted &&
                      (!expected.reset_s ||
                       outcome.reset_after == absl::Seconds(*expected.reset_s));
    if (same) return;
    ADD_FAILURE() << "limit " << plan_.policy.limit << " burst "
                  << plan_.policy.burst << " window " << plan_.policy.window
                  << " history " << history << "\nexpected allowed "
                  << expected.allowed << " remaining " << expected.remaining
                  << " reset " << expected.reset_s.value_or(-1) << "s retry "
                  << wanted << "\ngot allowed " << outcome.allowed
                  << " remaining " << outcome.remaining << " reset "
                  << outcome.reset_after << " retry " << retry;
  }

  const Plan plan_;
};

template <typename Reference>
void ExploreLimits(Plan plan, int64_t first_limit) {
  for (int64_t limit = first_limit; limit <= 3; ++limit) {
    for (int64_t burst = 0; burst <= 2; ++burst) {
      plan.policy.limit = limit;
      plan.policy.burst = burst;
      Explorer<Reference>(plan).Run();
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(LimitExhaustive, FixedWindowWithEarnedBurst) {
  ExploreLimits<NaiveFixedWindow>({{.window = absl::Seconds(3)}, {0, 1, 3}, 4},
                                  0);
}

TEST(LimitExhaustive, FixedWindowWithEarnedBurstOverIdleWindows) {
  ExploreLimits<NaiveFixedWindow>(
      {{.window = absl::Seconds(2)}, {0, 2, 4, 20, 22}, 3}, 0);
}

TEST(LimitExhaustive, FixedWindowWithUpfrontBurst) {
  ExploreLimits<NaiveFixedWindow>(
      {{.burst_mode = BurstMode::kUpfront, .window = absl::Seconds(3)},
       {0, 1, 3},
       4},
      0);
}

TEST(LimitExhaustive, SlidingWindow) {
  ExploreLimits<NaiveSlidingWindow>(
      {{.algorithm = Algorithm::kSlidingWindow, .window = absl::Seconds(3)},
       {0, 1, 3},
       4,
       Retry::kRoundedUp},
      0);
}

// Each of the limits divides the window, so nanoseconds are exact.
TEST(LimitExhaustive, TokenBucket) {
  ExploreLimits<NaiveTokenBucket>(
      {{.algorithm = Algorithm::kTokenBucket, .window = absl::Seconds(6)},
       {0, 1, 2, 7},
       4},
      1);
}

}  // namespace
}  // namespace rls
