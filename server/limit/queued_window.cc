#include <algorithm>

#include "limit/algorithms.h"

namespace rls {
namespace {

// A fixed window that queues books units of the windows after it. The units of
// `used` beyond its own capacity fill the later windows, one after the other;
// when the next window begins, they become its `used`. A charge never straddles
// two windows: units that are left in the earlier one are lost.

struct Slot {
  int64_t window = 0;  // 0: the present window
  int64_t used = 0;    // `used` after the charge
};

// The next free slot for `cost` units; `cost` is at most PerWindow().
Slot NextSlot(const Policy& policy, const CounterState& state, int64_t cost) {
  const int64_t capacity = Capacity(policy, state);
  if (state.used + cost <= capacity) return {0, state.used + cost};
  const int64_t tail = WindowsBooked(policy, state);
  const int64_t tail_end = capacity + tail * PerWindow(policy);
  if (tail > 0 && state.used + cost <= tail_end) {
    return {tail, state.used + cost};
  }
  return {tail + 1, tail_end + cost};
}

// `used` after a refund.
int64_t GivenBack(const Policy& policy, const CounterState& state,
                  const ChargeInput& input, int64_t length_ns) {
  const int64_t tail = WindowsBooked(policy, state);
  if (input.booking == nullptr || !input.booking->slot.has_value()) {
    return tail > 0 ? state.used
                    : std::max<int64_t>(0, state.used + input.cost);
  }
  const int64_t slot_ns = absl::ToUnixNanos(*input.booking->slot);
  if (slot_ns != state.anchor_ns + tail * length_ns) return state.used;
  const int64_t tail_start =
      tail == 0 ? 0 : Capacity(policy, state) + (tail - 1) * PerWindow(policy);
  return std::max(tail_start, state.used + input.cost);
}

void Book(const Policy& policy, const CounterState& state,
          const ChargeInput& input, int64_t length_ns, Transition& transition) {
  Outcome& outcome = transition.outcome;
  const Slot slot = NextSlot(policy, state, input.cost);
  const int64_t slot_ns = state.anchor_ns + slot.window * length_ns;
  const absl::Duration wait =
      absl::Nanoseconds(slot.window == 0 ? 0 : slot_ns - input.now_ns);
  const absl::Duration max_wait =
      input.booking == nullptr ? absl::ZeroDuration() : input.booking->max_wait;
  outcome.crowded =
      slot.window > 0 && input.booking != nullptr &&
      slot.used - Capacity(policy, state) > input.booking->max_queued;
  outcome.allowed = !outcome.crowded && wait <= max_wait &&
                    slot.window <= MaxBookedWindows(policy);
  if (outcome.allowed) {
    transition.after = state;
    transition.after.used = slot.used;
    outcome.wait = wait;
    outcome.slot = absl::FromUnixNanos(slot_ns);
    return;
  }
  outcome.retry_after = std::max(
      wait - max_wait,
      outcome.crowded
          ? absl::Nanoseconds(state.anchor_ns + length_ns - input.now_ns)
          : absl::Nanoseconds(1));
}

}  // namespace

int64_t WindowsBooked(const Policy& policy, const CounterState& state) {
  const int64_t over = state.used - Capacity(policy, state);
  const int64_t per_window = PerWindow(policy);
  if (over <= 0 || per_window == 0) return 0;
  return std::min((over - 1) / per_window + 1, MaxBookedWindows(policy) + 1);
}

int64_t MaxBookedWindows(const Policy& policy) {
  // Keeps the sum of all booked units within kMaxAmount.
  const int64_t by_amount =
      (kMaxAmount - policy.burst) / std::max<int64_t>(1, PerWindow(policy)) - 1;
  return std::clamp<int64_t>(
      std::min(by_amount, kMaxBookingWait / policy.window + 1), 0,
      kMaxBookedWindows);
}

Transition JudgeQueuedWindow(const Policy& policy, const CounterState& before,
                             const ChargeInput& input) {
  const WindowBounds window =
      WindowAt(policy, std::max(input.now_ns, before.anchor_ns));
  const int64_t length_ns = window.length_ns();
  const CounterState state = TurnTo(policy, before, window.start_ns);
  const int64_t capacity = Capacity(policy, state);
  Transition transition{.after = before, .outcome = {}};
  Outcome& outcome = transition.outcome;
  if (input.cost == 0) {
    const int64_t booked = WindowsBooked(policy, state);
    outcome.allowed = input.always || booked == 0;
    if (!outcome.allowed) {
      outcome.retry_after = absl::Nanoseconds(
          window.start_ns + booked * length_ns - input.now_ns);
    }
  } else if (input.cost < 0 || input.always) {
    transition.after = state;
    transition.after.used =
        input.cost < 0 ? GivenBack(policy, state, input, length_ns)
                       : std::max(state.used,
                                  std::min(state.used + input.cost,
                                           capacity + MaxBookedWindows(policy) *
                                                          PerWindow(policy)));
  } else if (input.cost > std::max(capacity - state.used, PerWindow(policy))) {
    outcome.allowed = false;
  } else {
    Book(policy, state, input, length_ns, transition);
  }
  if (!outcome.allowed && outcome.retry_after == absl::ZeroDuration()) {
    outcome.retry_after = absl::InfiniteDuration();
  }
  const CounterState& shown =
      transition.after == before ? state : transition.after;
  outcome.remaining = std::max<int64_t>(0, capacity - shown.used);
  outcome.reset_after =
      absl::Nanoseconds(window.end_ns - input.now_ns) +
      WindowsBooked(policy, shown) * absl::Nanoseconds(length_ns);
  return transition;
}

}  // namespace rls
