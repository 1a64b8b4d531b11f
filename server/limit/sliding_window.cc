#include <algorithm>

#include "limit/algorithms.h"

namespace rls {
namespace {

// The state in `window`; `before` is the last state that was stored.
CounterState SlideTo(const WindowBounds& window, const CounterState& before) {
  if (before.anchor_ns == window.start_ns) return before;
  const bool is_next = before.anchor_ns == window.start_ns - window.length_ns();
  return {.anchor_ns = window.start_ns, .carried = is_next ? before.used : 0};
}

// The earliest time at which a refused charge would fit if no other one comes.
int64_t WindowFitsAt(const Policy& policy, const CounterState& state,
                     const WindowBounds& window, int64_t cost) {
  if (cost > policy.limit) return INT64_MAX;
  const int64_t length_ns = window.length_ns();
  const int64_t room = policy.limit - state.used - cost;
  if (room >= 0) {
    // It fits as soon as enough units of the previous window have faded.
    return window.end_ns - MulDivFloor(room, length_ns, state.carried);
  }
  // It does not fit in this window. In the next one, `used` fades.
  const int64_t fade_ns =
      MulDivFloor(policy.limit - cost, length_ns, state.used);
  return window.end_ns + std::max<int64_t>(0, length_ns - fade_ns);
}

}  // namespace

Transition JudgeSlidingWindow(const Policy& policy, const CounterState& before,
                              const ChargeInput& input) {
  const int64_t now_ns = std::max(input.now_ns, before.anchor_ns);
  const WindowBounds window = WindowAt(policy, now_ns);
  const int64_t length_ns = window.length_ns();
  CounterState state = SlideTo(window, before);
  const int64_t faded =
      MulDivCeil(state.carried, window.end_ns - now_ns, length_ns);
  Transition transition{.after = before, .outcome = {}};
  Outcome& outcome = transition.outcome;
  outcome.allowed = input.always || input.cost < 0 ||
                    faded + state.used + input.cost <= policy.limit;
  if (!outcome.allowed) {
    outcome.retry_after = RetryAfter(
        WindowFitsAt(policy, state, window, input.cost), input.now_ns);
  } else {
    ChargeWindow(input, state, transition);
  }
  outcome.remaining = std::max<int64_t>(0, policy.limit - faded - state.used);
  const int64_t fresh_ns =
      state.used > 0 ? window.end_ns + length_ns : window.end_ns;
  outcome.reset_after = absl::Nanoseconds(fresh_ns - input.now_ns);
  return transition;
}

int64_t SlidingWindowExpiryNs(const Policy& policy, const CounterState& state) {
  return EndAfter(policy, WindowAt(policy, state.anchor_ns), 1);
}

}  // namespace rls
