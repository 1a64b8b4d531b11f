#ifndef RLS_TESTS_UNIT_LIMIT_DICE_H_
#define RLS_TESTS_UNIT_LIMIT_DICE_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"
#include "limit/judge.h"

namespace rls {

inline constexpr int kSeeds = 600;
inline constexpr int64_t kStartNs = 1'700'002'800'000'000'000;

inline absl::Time At(int64_t ns) { return absl::FromUnixNanos(ns); }

// Small amounts, so that edges are hit often; odd windows, so that rounding
// errors show.
class Dice {
 public:
  explicit Dice(int seed) : random_(static_cast<uint64_t>(seed)) {}

  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound));
  }
  bool OneIn(int64_t n) { return Below(n) == 0; }

  Policy AnyPolicy() {
    constexpr int64_t kWindows[] = {1'000'000'000,  1'000'000'007,
                                    7'000'000'000,  60'000'000'000,
                                    86'400'000'001, 3'600'000'000'000};
    Policy policy;
    policy.algorithm = static_cast<Algorithm>(Below(3));
    policy.burst_mode = OneIn(2) ? BurstMode::kEarned : BurstMode::kUpfront;
    policy.limit = Below(13);
    policy.burst = Below(7);
    policy.window = absl::Nanoseconds(kWindows[Below(6)]);
    return policy;
  }

  // From zero to a little more than the lifetime of the bank.
  int64_t AnyPause(int64_t window_ns) {
    switch (Below(6)) {
      case 0:
        return 0;
      case 1:
        return Below(3);
      case 2:
        return Below(window_ns / 8);
      case 3:
        return Below(window_ns);
      case 4:
        return window_ns * (1 + Below(2));
      default:
        return OneIn(4) ? Below(13 * window_ns) : window_ns / (1 + Below(12));
    }
  }

 private:
  std::mt19937_64 random_;
};

inline int64_t WindowNs(const Policy& policy) {
  return absl::ToInt64Nanoseconds(policy.window);
}

// The most units that a counter can take at once.
inline int64_t Depth(const Policy& policy) {
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
      return policy.limit + policy.burst;
    case Algorithm::kSlidingWindow:
    case Algorithm::kSingleWindow:
      return policy.limit;
    case Algorithm::kTokenBucket:
      return policy.burst + 1;
  }
  return 0;
}

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LIMIT_DICE_H_
