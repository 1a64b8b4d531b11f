#include <algorithm>

#include "limit/algorithms.h"

namespace rls {
namespace {

CounterState TurnTo(const CounterState& before, const WindowBounds& window) {
  CounterState state{.anchor_ns = window.start_ns};
  if (before.anchor_ns == window.start_ns) return before;
  const int64_t length_ns = window.end_ns - window.start_ns;
  if (before.anchor_ns == window.start_ns - length_ns) {
    state.carried = before.used;
  }
  return state;
}

// The earliest time at which a refused charge would fit if nobody else charged.
int64_t FitsAt(const Policy& policy, const CounterState& state,
               const WindowBounds& window, int64_t cost) {
  if (cost > policy.limit) return INT64_MAX;
  const int64_t length_ns = window.end_ns - window.start_ns;
  const int64_t room = policy.limit - state.used - cost;
  if (room >= 0) {
    // Only what the window before still weighs is in the way.
    return window.end_ns - MulDivFloor(room, length_ns, state.carried);
  }
  // Not in this window; in the next one, `used` is what fades.
  const int64_t fade_ns =
      MulDivFloor(policy.limit - cost, length_ns, state.used);
  return window.end_ns + std::max<int64_t>(0, length_ns - fade_ns);
}

}  // namespace

Judgement JudgeSlidingWindow(const Policy& policy, const CounterState& before,
                             const Ask& ask) {
  const int64_t now_ns = std::max(ask.now_ns, before.anchor_ns);
  const WindowBounds window = WindowAt(policy, now_ns);
  const int64_t length_ns = window.end_ns - window.start_ns;
  CounterState state = TurnTo(before, window);
  const int64_t faded =
      MulDivCeil(state.carried, window.end_ns - now_ns, length_ns);
  Judgement judgement{.after = before, .outcome = {}};
  Outcome& outcome = judgement.outcome;
  outcome.allowed = ask.always || ask.cost < 0 ||
                    faded + state.used + ask.cost <= policy.limit;
  if (!outcome.allowed) {
    const int64_t fits_ns = FitsAt(policy, state, window, ask.cost);
    outcome.retry_after = fits_ns == INT64_MAX
                              ? absl::InfiniteDuration()
                              : absl::Nanoseconds(fits_ns - ask.now_ns);
  } else if (ask.cost != 0 && !IsOfAnotherSlot(ask, window.start_ns)) {
    state.used = ClampTo(state.used + ask.cost, 0, kMaxAmount);
    judgement.after = state;
    outcome.slot = absl::FromUnixNanos(window.start_ns);
  }
  outcome.remaining = std::max<int64_t>(0, policy.limit - faded - state.used);
  const int64_t fresh_ns =
      state.used > 0 ? window.end_ns + length_ns : window.end_ns;
  outcome.reset_after = absl::Nanoseconds(fresh_ns - ask.now_ns);
  return judgement;
}

int64_t SlidingWindowExpiryNs(const Policy& policy, const CounterState& state) {
  const WindowBounds window = WindowAt(policy, state.anchor_ns);
  return window.end_ns + (window.end_ns - window.start_ns);
}

}  // namespace rls
