#include <algorithm>

#include "absl/time/civil_time.h"
#include "limit/algorithms.h"

namespace rls {
namespace {

// The window of `unit`. If a clock change repeats the end of a unit that is
// already over, the next window instead: windows never overlap.
template <typename CivilUnit>
WindowBounds CivilBounds(CivilUnit unit, int64_t length, const Policy& policy,
                         int64_t time_ns) {
  const auto start_of = [&policy](CivilUnit first) {
    return absl::ToUnixNanos(
        absl::FromCivil(absl::CivilSecond(first), policy.zone));
  };
  WindowBounds bounds{start_of(unit), start_of(unit + length)};
  while (bounds.end_ns <= time_ns) {
    unit += length;
    bounds = {bounds.end_ns, start_of(unit + length)};
  }
  return bounds;
}

WindowBounds CalendarWindowAt(const Policy& policy, int64_t time_ns) {
  const absl::CivilSecond second =
      absl::ToCivilSecond(absl::FromUnixNanos(time_ns), policy.zone);
  switch (policy.calendar) {
    case Calendar::kHour:
      return CivilBounds(absl::CivilHour(second), 1, policy, time_ns);
    case Calendar::kWeek:
      return CivilBounds(
          absl::PrevWeekday(absl::CivilDay(second) + 1, absl::Weekday::monday),
          7, policy, time_ns);
    case Calendar::kMonth:
      return CivilBounds(absl::CivilMonth(second), 1, policy, time_ns);
    case Calendar::kYear:
      return CivilBounds(absl::CivilYear(second), 1, policy, time_ns);
    case Calendar::kNone:
    case Calendar::kDay:
      break;
  }
  return CivilBounds(absl::CivilDay(second), 1, policy, time_ns);
}

// The number of whole windows between the window that starts at `from_ns` and
// the window that starts at `to_ns`. Counts no further than `most`.
int64_t IdleWindows(const Policy& policy, int64_t from_ns, int64_t to_ns,
                    int64_t most) {
  const WindowBounds first = WindowAt(policy, from_ns);
  if (policy.calendar == Calendar::kNone) {
    return std::min((to_ns - first.end_ns) / first.length_ns(), most);
  }
  int64_t idle = 0;
  for (int64_t end_ns = first.end_ns; end_ns < to_ns && idle < most; ++idle) {
    end_ns = WindowAt(policy, end_ns).end_ns;
  }
  return idle;
}

// Units that the window of `state` leaves to the next one. Negative: units that
// it has booked there.
int64_t LeftOver(const Policy& policy, const CounterState& state) {
  if (policy.queue) return Capacity(policy, state) - state.used;
  const int64_t from_bank = std::max<int64_t>(0, state.used - policy.limit);
  const int64_t unused = std::max<int64_t>(0, policy.limit - state.used);
  const int64_t banked = std::min(state.carried, policy.burst);
  return std::max<int64_t>(0, banked - from_bank) + unused;
}

// The start of the first window in which a charge of `cost` fits, if `window`
// has refused it and no other charge comes; INT64_MAX if it never
// fits. A refused charge does not change `before`: the bank grows and lapses
// from there. A counter without a state has no bank.
int64_t FitsAt(const Policy& policy, const CounterState& before,
               const WindowBounds& window, int64_t cost) {
  if (cost <= PerWindow(policy)) return window.end_ns;
  if (!EarnsBurst(policy) || cost > policy.limit + policy.burst ||
      before.anchor_ns == CounterState::kNeverCharged) {
    return INT64_MAX;
  }
  const int64_t missing =
      std::max<int64_t>(0, cost - policy.limit - LeftOver(policy, before));
  if (missing > 0 && policy.limit == 0) return INT64_MAX;
  const int64_t idle =
      missing == 0 ? 0 : (missing + policy.limit - 1) / policy.limit;
  const int64_t fits_ns =
      idle >= kBankedWindows
          ? INT64_MAX
          : EndAfter(policy, WindowAt(policy, before.anchor_ns), idle);
  // An earlier window is over, and the bank has lapsed since.
  return fits_ns >= window.end_ns ? fits_ns : INT64_MAX;
}

}  // namespace

WindowBounds WindowAt(const Policy& policy, int64_t time_ns) {
  if (policy.calendar != Calendar::kNone) {
    return CalendarWindowAt(policy, time_ns);
  }
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  const int64_t start_ns = AlignDown(time_ns, length_ns);
  return {.start_ns = start_ns, .end_ns = start_ns + length_ns};
}

int64_t EndAfter(const Policy& policy, const WindowBounds& first,
                 int64_t count) {
  if (policy.calendar == Calendar::kNone) {
    return first.end_ns + count * first.length_ns();
  }
  int64_t end_ns = first.end_ns;
  for (; count > 0; --count) end_ns = WindowAt(policy, end_ns).end_ns;
  return end_ns;
}

CounterState TurnTo(const Policy& policy, const CounterState& before,
                    int64_t start_ns) {
  CounterState state{.anchor_ns = start_ns};
  if (before.anchor_ns == CounterState::kNeverCharged) return state;
  if (before.anchor_ns == start_ns) {
    state.used = before.used;
    state.carried = Banked(policy, before);
    return state;
  }
  if (!policy.queue && !EarnsBurst(policy)) return state;
  // After this many windows the booked windows are over and the bank lapses.
  const int64_t most =
      kBankedWindows + (policy.queue ? WindowsBooked(policy, before) : 0);
  const int64_t idle = IdleWindows(policy, before.anchor_ns, start_ns, most);
  if (idle >= most) return state;
  const int64_t per_window = PerWindow(policy);
  const int64_t left = LeftOver(policy, before) + idle * per_window;
  if (left < 0) {
    state.used = per_window == 0 ? 0 : -left;
  } else if (EarnsBurst(policy)) {
    state.carried = std::min(policy.burst, left);
  }
  return state;
}

Transition JudgeFixedWindow(const Policy& policy, const CounterState& before,
                            const ChargeInput& input) {
  const WindowBounds window =
      WindowAt(policy, std::max(input.now_ns, before.anchor_ns));
  CounterState state = TurnTo(policy, before, window.start_ns);
  const int64_t capacity = Capacity(policy, state);
  Transition transition{.after = before, .outcome = {}};
  Outcome& outcome = transition.outcome;
  outcome.allowed =
      input.always || input.cost < 0 || state.used + input.cost <= capacity;
  if (!outcome.allowed) {
    outcome.retry_after =
        RetryAfter(FitsAt(policy, before, window, input.cost), input.now_ns);
  } else {
    ChargeWindow(input, state, transition);
  }
  outcome.remaining = std::max<int64_t>(0, capacity - state.used);
  outcome.reset_after = absl::Nanoseconds(window.end_ns - input.now_ns);
  return transition;
}

int64_t FixedWindowExpiryNs(const Policy& policy, const CounterState& state) {
  const int64_t booked = policy.queue ? WindowsBooked(policy, state) : 0;
  const int64_t banked = EarnsBurst(policy) ? kBankedWindows : 0;
  return EndAfter(policy, WindowAt(policy, state.anchor_ns), booked + banked);
}

}  // namespace rls
