#ifndef RLS_LIMIT_JUDGE_H_
#define RLS_LIMIT_JUDGE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/policy.h"

namespace rls {

// The arithmetic of every algorithm, written once and pure: no clock, no lock,
// no I/O. The memory store calls it; the Redis scripts are its transcription.

// The state of one counter. A default-constructed one is a counter that nobody
// has charged yet.
//
// Units: `anchor_ns` is nanoseconds since the Unix epoch: the start of the
// window, or, for a token bucket, the theoretical arrival time (GCRA).
struct CounterState {
  int64_t anchor_ns = kNeverCharged;
  int64_t used = 0;     // in this window; not kept by a token bucket
  int64_t carried = 0;  // fixed window: banked; sliding: used in the one before

  static constexpr int64_t kNeverCharged = INT64_MIN;
  friend bool operator==(const CounterState&, const CounterState&) = default;
};

struct Judgement {
  CounterState after;
  Outcome outcome;
};

// Judges a charge of `cost` on `before` at `now` and gives the state that
// results: `before` itself when the charge is refused or only looked. kObserve
// is judged as kEnforce: the caller decides what a refusal means. kReport is
// always allowed, and so is a refund (negative cost). `booking` as of Charge.
// What a kProbe is told of the counter is what a kPeek would be.
//
// A clock that goes backwards never frees quota: a `now` before the window that
// the state is in is taken as the start of that window.
//
// Promises, for any history of kEnforce charges:
//   fixed_window    at most limit + burst in each window; with earned bursts at
//                   most n * limit + burst in any n windows in a row
//   sliding_window  at most limit in each aligned window, and less than
//                   2 * limit in any span of one window's length
//   token_bucket    at most limit + burst in any span of one window's length
//                   (half open), evenly paced beyond the burst
//   single_window   at most limit in a window's length since its first charge
// The same holds for the times at which queued charges may go on. A policy that
// queues serves first come, first served: while anything waits, nothing passes
// it, what a report adds past the limit is paid off by later windows, and a
// plain refund changes nothing.
Judgement Judge(const Policy& policy, const CounterState& before,
                ChargeKind kind, int64_t cost, absl::Time now,
                const Booking* booking = nullptr);

// When the state can be forgotten: from then on it judges every charge as a
// default-constructed state would.
absl::Time Expiry(const Policy& policy, const CounterState& state);

// Idle windows after which a fixed window's bank lapses.
inline constexpr int kBankedWindows = 10;

}  // namespace rls

#endif  // RLS_LIMIT_JUDGE_H_
