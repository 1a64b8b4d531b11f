#ifndef RLS_LIMIT_ALGORITHMS_H_
#define RLS_LIMIT_ALGORITHMS_H_

#include <algorithm>
#include <cstdint>

#include "absl/numeric/int128.h"
#include "limit/charge.h"
#include "limit/judge.h"
#include "limit/policy.h"

namespace rls {

// The functions of Judge() and Expiry() for each algorithm, and the arithmetic
// that they share. Redis' script calls use some of it too.

// One charge as the algorithms see it: times in nanoseconds since the Unix
// epoch, the cost within -kMaxAmount..kMaxAmount and 0 for a look.
struct ChargeInput {
  int64_t cost = 0;
  bool always = false;  // kReport: charged even past the limit
  int64_t now_ns = 0;
  const Booking* booking = nullptr;
};

Transition JudgeFixedWindow(const Policy& policy, const CounterState& before,
                            const ChargeInput& input);
Transition JudgeQueuedWindow(const Policy& policy, const CounterState& before,
                             const ChargeInput& input);
Transition JudgeSlidingWindow(const Policy& policy, const CounterState& before,
                              const ChargeInput& input);
Transition JudgeTokenBucket(const Policy& policy, const CounterState& before,
                            const ChargeInput& input);
Transition JudgeSingleWindow(const Policy& policy, const CounterState& before,
                             const ChargeInput& input);

// With `policy.queue` too.
int64_t FixedWindowExpiryNs(const Policy& policy, const CounterState& state);
int64_t SlidingWindowExpiryNs(const Policy& policy, const CounterState& state);

inline constexpr int64_t kMicrosecondNs = 1'000;
inline constexpr int64_t kMillisecondNs = 1'000'000;

struct WindowBounds {
  int64_t start_ns = 0;
  int64_t end_ns = 0;

  int64_t length_ns() const { return end_ns - start_ns; }
};

// The window that `time_ns` lies in: aligned to the Unix epoch, or a calendar
// window. If a clock change repeats a local hour, that hour is one window of
// two hours.
WindowBounds WindowAt(const Policy& policy, int64_t time_ns);

// The end of the window that comes `count` windows after `first`.
int64_t EndAfter(const Policy& policy, const WindowBounds& first,
                 int64_t count);

// The state of a fixed window, queueing or not, when the window that starts at
// `start_ns` begins or goes on. `before` is the last state that was stored.
CounterState TurnTo(const Policy& policy, const CounterState& before,
                    int64_t start_ns);

// Whether a fixed window banks the units that earlier windows have left.
inline bool EarnsBurst(const Policy& policy) {
  return policy.burst_mode == BurstMode::kEarned && policy.burst > 0;
}

// Units of a fixed window with an empty bank.
inline int64_t PerWindow(const Policy& policy) {
  const bool upfront = policy.burst_mode == BurstMode::kUpfront;
  return std::min(kMaxAmount, policy.limit + (upfront ? policy.burst : 0));
}

// Units in the bank when the fixed window of `state` began.
inline int64_t Banked(const Policy& policy, const CounterState& state) {
  return EarnsBurst(policy) ? std::min(state.carried, policy.burst) : 0;
}

// All units that the fixed window of `state` may give.
inline int64_t Capacity(const Policy& policy, const CounterState& state) {
  return std::min(kMaxAmount, PerWindow(policy) + Banked(policy, state));
}

// With `policy.queue`: the number of later windows in which units of `state`
// are booked.
int64_t WindowsBooked(const Policy& policy, const CounterState& state);

// With `policy.queue`: the most windows that WindowsBooked() may reach.
int64_t MaxBookedWindows(const Policy& policy);

// The amounts of a token bucket as time (docs/decisions/0005). No backlog is
// longer than kMaxBacklogNs, so that times stay in 64 bits.
inline constexpr int64_t kMaxBacklogNs = INT64_MAX / 8;
int64_t BucketDepthNs(const Policy& policy);
// A charge is rounded up, a refund (a negative cost) is rounded down.
int64_t BucketCostNs(const Policy& policy, int64_t cost);
// CounterState::carried of a bucket with this backlog after a charge.
int64_t BucketMark(const Policy& policy, int64_t backlog_ns, int64_t now_ns);
// How long the last of `units` units waits if all of them wait.
int64_t BucketQueueNs(const Policy& policy, int64_t units);

// Whether the charge is a refund that names a slot other than the window that
// starts at `start_ns`.
inline bool IsOfAnotherSlot(const ChargeInput& input, int64_t start_ns) {
  return input.cost < 0 && input.booking != nullptr &&
         input.booking->slot.has_value() &&
         absl::ToUnixNanos(*input.booking->slot) != start_ns;
}

inline int64_t ClampTo(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : (value > high ? high : value);
}

// Makes an allowed charge of the window of `state`, if that does not queue. A
// look, and a refund of another slot, change nothing.
inline void ChargeWindow(const ChargeInput& input, CounterState& state,
                         Transition& transition) {
  if (input.cost == 0 || IsOfAnotherSlot(input, state.anchor_ns)) return;
  state.used = ClampTo(state.used + input.cost, 0, kMaxAmount);
  transition.after = state;
  transition.outcome.slot = absl::FromUnixNanos(state.anchor_ns);
}

// From `now_ns` to `fits_ns`. INT64_MAX stands for never.
inline absl::Duration RetryAfter(int64_t fits_ns, int64_t now_ns) {
  return fits_ns == INT64_MAX ? absl::InfiniteDuration()
                              : absl::Nanoseconds(fits_ns - now_ns);
}

// The largest multiple of `step_ns` that is not after `time_ns`.
inline int64_t AlignDown(int64_t time_ns, int64_t step_ns) {
  const int64_t into_ns = time_ns % step_ns;
  return time_ns - (into_ns < 0 ? into_ns + step_ns : into_ns);
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
