#ifndef RLS_LIMIT_ALGORITHMS_H_
#define RLS_LIMIT_ALGORITHMS_H_

#include <algorithm>
#include <cstdint>

#include "absl/numeric/int128.h"
#include "limit/charge.h"
#include "limit/judge.h"
#include "limit/policy.h"

namespace rls {

// One charge as the algorithms see it: times in nanoseconds since the Unix
// epoch, the cost within -kMaxAmount..kMaxAmount and 0 for a look.
struct Ask {
  int64_t cost = 0;
  bool always = false;  // kReport: charged even past the limit
  int64_t now_ns = 0;
  const Booking* booking = nullptr;
};

// Whether it is a refund of a slot, but not of the window that starts at
// `start_ns`.
inline bool IsOfAnotherSlot(const Ask& ask, int64_t start_ns) {
  return ask.cost < 0 && ask.booking != nullptr &&
         ask.booking->slot.has_value() &&
         absl::ToUnixNanos(*ask.booking->slot) != start_ns;
}

Judgement JudgeFixedWindow(const Policy& policy, const CounterState& before,
                           const Ask& ask);
Judgement JudgeQueuedWindow(const Policy& policy, const CounterState& before,
                            const Ask& ask);
Judgement JudgeSlidingWindow(const Policy& policy, const CounterState& before,
                             const Ask& ask);
Judgement JudgeTokenBucket(const Policy& policy, const CounterState& before,
                           const Ask& ask);
Judgement JudgeSingleWindow(const Policy& policy, const CounterState& before,
                            const Ask& ask);

int64_t FixedWindowExpiryNs(const Policy& policy, const CounterState& state);
int64_t QueuedWindowExpiryNs(const Policy& policy, const CounterState& state);
int64_t SlidingWindowExpiryNs(const Policy& policy, const CounterState& state);

// Whether a fixed window banks what earlier ones have left.
inline bool EarnsBurst(const Policy& policy) {
  return policy.burst_mode == BurstMode::kEarned && policy.burst > 0;
}

// Units of a fixed window that finds nothing banked.
inline int64_t PerWindow(const Policy& policy) {
  const bool upfront = policy.burst_mode == BurstMode::kUpfront;
  return std::min(kMaxAmount, policy.limit + (upfront ? policy.burst : 0));
}

// Units that the fixed window of `state` has found banked.
inline int64_t Banked(const Policy& policy, const CounterState& state) {
  return EarnsBurst(policy) ? std::min(state.carried, policy.burst) : 0;
}

// All that the fixed window of `state` may give.
inline int64_t Capacity(const Policy& policy, const CounterState& state) {
  return std::min(kMaxAmount, PerWindow(policy) + Banked(policy, state));
}

struct WindowBounds {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

// The window that `time_ns` lies in: aligned to the Unix epoch, or a calendar
// window. A local hour that a clock change repeats is one window of two hours.
WindowBounds WindowAt(const Policy& policy, int64_t time_ns);

// What a token bucket's amounts are as time (decisions/0005).
// A backlog never reaches further than this, so that times stay in 64 bits.
inline constexpr int64_t kMaxBacklogNs = INT64_MAX / 8;
int64_t BucketDepthNs(const Policy& policy);
// Of a charge, rounded up, or of a refund (a negative cost), rounded down.
int64_t BucketCostNs(const Policy& policy, int64_t cost);

// Windows after its own that a fixed window which queues may run into.
int64_t MaxBookedWindows(const Policy& policy);

// Of units that may wait for a bucket: how long the last of them waits.
int64_t BucketQueueNs(const Policy& policy, int64_t units);

inline int64_t ClampTo(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : (value > high ? high : value);
}

// floor(a * b / c) and ceil(a * b / c), saturated to int64_t; a, b >= 0, c > 0.
inline int64_t MulDivFloor(int64_t a, int64_t b, int64_t c) {
  const absl::uint128 result = absl::uint128(static_cast<uint64_t>(a)) *
                               static_cast<uint64_t>(b) /
                               static_cast<uint64_t>(c);
  return result > static_cast<uint64_t>(INT64_MAX)
             ? INT64_MAX
             : static_cast<int64_t>(absl::Uint128Low64(result));
}

inline int64_t MulDivCeil(int64_t a, int64_t b, int64_t c) {
  const absl::uint128 divisor = static_cast<uint64_t>(c);
  const absl::uint128 result =
      (absl::uint128(static_cast<uint64_t>(a)) * static_cast<uint64_t>(b) +
       divisor - 1) /
      divisor;
  return result > static_cast<uint64_t>(INT64_MAX)
             ? INT64_MAX
             : static_cast<int64_t>(absl::Uint128Low64(result));
}

}  // namespace rls

#endif  // RLS_LIMIT_ALGORITHMS_H_
