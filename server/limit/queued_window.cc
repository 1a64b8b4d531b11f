#include <algorithm>

#include "limit/algorithms.h"

namespace rls {
namespace {

// A fixed window that queues runs into the windows after it: what `used` has
// beyond its own capacity is booked, window after window, and becomes the
// `used` of the next one when that begins. A charge never straddles two
// windows: what the earlier one has left for it is lost.

// Windows after its own that `state` reaches into.
int64_t WindowsBooked(const Policy& policy, const CounterState& state) {
  const int64_t over = state.used - Capacity(policy, state);
  const int64_t per_window = PerWindow(policy);
  if (over <= 0 || per_window == 0) return 0;
  return std::min((over - 1) / per_window + 1, MaxBookedWindows(policy) + 1);
}

// The state as the window that starts at `start_ns` finds it.
CounterState TurnTo(const Policy& policy, const CounterState& before,
                    int64_t start_ns, int64_t length_ns) {
  CounterState state{.anchor_ns = start_ns};
  if (before.anchor_ns == CounterState::kNeverCharged) return state;
  if (before.anchor_ns == start_ns) {
    state.used = before.used;
    state.carried = Banked(policy, before);
    return state;
  }
  const int64_t between = (start_ns - before.anchor_ns) / length_ns - 1;
  // The bank lapses, and by then everything booked has passed.
  if (between >= kBankedWindows + WindowsBooked(policy, before)) return state;
  const int64_t left =
      Capacity(policy, before) - before.used + between * PerWindow(policy);
  if (left < 0) {
    state.used = PerWindow(policy) == 0 ? 0 : -left;
  } else if (EarnsBurst(policy)) {
    state.carried = std::min(policy.burst, left);
  }
  return state;
}

struct Slot {
  int64_t window = 0;  // 0: the present one
  int64_t used = 0;    // afterwards
};

// Where `cost` units come to lie; `cost` is at most PerWindow().
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

// What is left of `used` after a refund.
int64_t GivenBack(const Policy& policy, const CounterState& state,
                  const Ask& ask, int64_t length_ns) {
  const int64_t tail = WindowsBooked(policy, state);
  if (ask.booking == nullptr || !ask.booking->slot.has_value()) {
    return tail > 0 ? state.used : std::max<int64_t>(0, state.used + ask.cost);
  }
  const int64_t slot_ns = absl::ToUnixNanos(*ask.booking->slot);
  if (slot_ns != state.anchor_ns + tail * length_ns) return state.used;
  const int64_t tail_start =
      tail == 0 ? 0 : Capacity(policy, state) + (tail - 1) * PerWindow(policy);
  return std::max(tail_start, state.used + ask.cost);
}

void Book(const Policy& policy, const CounterState& state, const Ask& ask,
          int64_t length_ns, Judgement& judgement) {
  Outcome& outcome = judgement.outcome;
  const Slot slot = NextSlot(policy, state, ask.cost);
  const int64_t slot_ns = state.anchor_ns + slot.window * length_ns;
  const absl::Duration wait =
      absl::Nanoseconds(slot.window == 0 ? 0 : slot_ns - ask.now_ns);
  const absl::Duration patience =
      ask.booking == nullptr ? absl::ZeroDuration() : ask.booking->max_wait;
  outcome.crowded =
      slot.window > 0 && ask.booking != nullptr &&
      slot.used - Capacity(policy, state) > ask.booking->max_queued;
  outcome.allowed = !outcome.crowded && wait <= patience &&
                    slot.window <= MaxBookedWindows(policy);
  if (outcome.allowed) {
    judgement.after = state;
    judgement.after.used = slot.used;
    outcome.wait = wait;
    outcome.slot = absl::FromUnixNanos(slot_ns);
    return;
  }
  outcome.retry_after =
      std::max(wait - patience,
               outcome.crowded
                   ? absl::Nanoseconds(state.anchor_ns + length_ns - ask.now_ns)
                   : absl::Nanoseconds(1));
}

}  // namespace

int64_t MaxBookedWindows(const Policy& policy) {
  // So that all that is booked stays within kMaxAmount.
  const int64_t by_amount =
      (kMaxAmount - policy.burst) / std::max<int64_t>(1, PerWindow(policy)) - 1;
  return std::clamp<int64_t>(
      std::min(by_amount, kMaxBookingWait / policy.window + 1), 0,
      kMaxBookedWindows);
}

Judgement JudgeQueuedWindow(const Policy& policy, const CounterState& before,
                            const Ask& ask) {
  const WindowBounds window =
      WindowAt(policy, std::max(ask.now_ns, before.anchor_ns));
  const int64_t length_ns = window.end_ns - window.start_ns;
  const CounterState state = TurnTo(policy, before, window.start_ns, length_ns);
  const int64_t capacity = Capacity(policy, state);
  Judgement judgement{.after = before, .outcome = {}};
  Outcome& outcome = judgement.outcome;
  if (ask.cost == 0) {
    const int64_t booked = WindowsBooked(policy, state);
    outcome.allowed = ask.always || booked == 0;
    if (!outcome.allowed) {
      outcome.retry_after =
          absl::Nanoseconds(window.start_ns + booked * length_ns - ask.now_ns);
    }
  } else if (ask.cost < 0 || ask.always) {
    judgement.after = state;
    judgement.after.used =
        ask.cost < 0 ? GivenBack(policy, state, ask, length_ns)
                     : std::max(state.used,
                                std::min(state.used + ask.cost,
                                         capacity + MaxBookedWindows(policy) *
                                                        PerWindow(policy)));
  } else if (ask.cost > std::max(capacity - state.used, PerWindow(policy))) {
    outcome.allowed = false;
  } else {
    Book(policy, state, ask, length_ns, judgement);
  }
  if (!outcome.allowed && outcome.retry_after == absl::ZeroDuration()) {
    outcome.retry_after = absl::InfiniteDuration();
  }
  const CounterState& shown =
      judgement.after == before ? state : judgement.after;
  outcome.remaining = std::max<int64_t>(0, capacity - shown.used);
  outcome.reset_after =
      absl::Nanoseconds(window.end_ns - ask.now_ns) +
      WindowsBooked(policy, shown) * absl::Nanoseconds(length_ns);
  return judgement;
}

int64_t QueuedWindowExpiryNs(const Policy& policy, const CounterState& state) {
  const WindowBounds window = WindowAt(policy, state.anchor_ns);
  const int64_t windows =
      WindowsBooked(policy, state) + (EarnsBurst(policy) ? kBankedWindows : 0);
  return window.end_ns + windows * (window.end_ns - window.start_ns);
}

}  // namespace rls
