#ifndef RLS_LIMIT_JUDGE_H_
#define RLS_LIMIT_JUDGE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/policy.h"

namespace rls {

// The arithmetic of every algorithm. It is pure: no clock, no lock, no I/O. The
// memory store runs it; the Redis scripts are a transcription of it.

// The state of one counter. The default state is a counter without any charge.
//
// Units: `anchor_ns` is nanoseconds since the Unix epoch: the start of the
// window, or, for a token bucket, the theoretical arrival time (GCRA).
struct CounterState {
  int64_t anchor_ns = kNeverCharged;
  int64_t used = 0;  // in this window; not for a token bucket
  // Fixed: banked. Sliding: used in the previous window. Token bucket: the time
  // of the last charge in microseconds, if the backlog exceeds the window, as
  // with a burst above the limit, a queue or a report; else 0.
  int64_t carried = 0;

  static constexpr int64_t kNeverCharged = INT64_MIN;
  friend bool operator==(const CounterState&, const CounterState&) = default;
};

// A step of a counter: its new state, and the outcome of the charge.
struct Transition {
  CounterState after;
  Outcome outcome;
};

// Judges a charge of `cost` on `before` at `now`. If the charge is refused, or
// of kind kPeek or kProbe, the new state is `before`. kObserve is judged as
// kEnforce, and kStatedObserve as kStated; JudgeAll() handles the difference.
// kReport is always allowed, and so is a refund (a negative cost). kStated
// changes the state like kReport; its outcome is that of a kPeek afterwards.
// `booking`: see Charge. The outcome of a kProbe shows the counter as the
// outcome of a kPeek does.
//
// A clock that goes backwards never frees quota: if `now` is before the window
// of the state, the start of that window is used instead. Healed() bounds how
// long that lasts.
//
// Guarantees, for any history of kEnforce charges:
//   fixed_window    at most limit + burst in each window; with earned bursts at
//                   most n * limit + burst in any n windows in a row
//   sliding_window  at most limit in each aligned window, and less than
//                   2 * limit in any span of one window's length
//   token_bucket    at most limit + burst in any span of one window's length
//                   (half open), evenly paced beyond the burst
//   single_window   at most limit in a window's length since its first charge
// The same holds for the times at which held requests go on. A policy that
// queues serves in order of arrival: while a charge waits, no later charge
// passes it, and a refund without a slot changes nothing. Later windows pay off
// the units that a report adds past the limit.
Transition Judge(const Policy& policy, const CounterState& before,
                 ChargeKind kind, int64_t cost, absl::Time now,
                 const Booking* booking = nullptr);

// A state may be ahead of the clock by this: clocks are corrected by small
// steps. Within it, charges stay in the window in which they were made.
inline constexpr int64_t kClockToleranceNs = 1'000'000'000;

// The state to judge, and to store, instead of `state`. It differs from `state`
// only if that lies in the future, because the clock was ahead and has been set
// back, or because another program wrote it. The units then count in the
// present window; a token bucket keeps the backlog that it had after its last
// charge, or, if that was no longer than the window, at most a window. So a
// step backwards frees nothing and costs at most one window.
CounterState Healed(const Policy& policy, const CounterState& state,
                    absl::Time now);

// The time from which the state can be forgotten: from then on it judges every
// charge like the default state.
absl::Time Expiry(const Policy& policy, const CounterState& state);

// The number of idle windows after which the bank of a fixed window lapses.
inline constexpr int kBankedWindows = 10;

}  // namespace rls

#endif  // RLS_LIMIT_JUDGE_H_
