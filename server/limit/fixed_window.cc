#include <algorithm>

#include "absl/time/civil_time.h"
#include "limit/algorithms.h"

namespace rls {
namespace {

// The window of `unit`, or, where a clock set back repeats the end of a unit
// that is already over, the one after it: windows never overlap.
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

// The end of the window that lies `count` windows after `first`.
int64_t EndAfter(const Policy& policy, const WindowBounds& first,
                 int64_t count) {
  if (policy.calendar == Calendar::kNone) {
    return first.end_ns + count * (first.end_ns - first.start_ns);
  }
  int64_t end_ns = first.end_ns;
  for (; count > 0; --count) end_ns = WindowAt(policy, end_ns).end_ns;
  return end_ns;
}

// Windows between the one that starts at `from_ns` and the one that starts at
// `to_ns`, counted no further than kBankedWindows.
int64_t IdleWindows(const Policy& policy, int64_t from_ns, int64_t to_ns) {
  const WindowBounds first = WindowAt(policy, from_ns);
  if (policy.calendar == Calendar::kNone) {
    const int64_t length_ns = first.end_ns - first.start_ns;
    return std::min<int64_t>((to_ns - first.end_ns) / length_ns,
                             kBankedWindows);
  }
  int64_t idle = 0;
  for (int64_t end_ns = first.end_ns; end_ns < to_ns && idle < kBankedWindows;
       ++idle) {
    end_ns = WindowAt(policy, end_ns).end_ns;
  }
  return idle;
}

// What a window that ends as `state` leaves for later ones.
int64_t LeftOver(const Policy& policy, const CounterState& state) {
  const int64_t from_bank = std::max<int64_t>(0, state.used - policy.limit);
  const int64_t unused = std::max<int64_t>(0, policy.limit - state.used);
  const int64_t banked = std::min(state.carried, policy.burst);
  return std::max<int64_t>(0, banked - from_bank) + unused;
}

// The state as the window that starts at `start_ns` finds it.
CounterState TurnTo(const Policy& policy, const CounterState& before,
                    int64_t start_ns) {
  CounterState state{.anchor_ns = start_ns};
  if (before.anchor_ns == CounterState::kNeverCharged) return state;
  if (before.anchor_ns == start_ns) {
    state.used = before.used;
    state.carried = Banked(policy, before);
    return state;
  }
  if (!EarnsBurst(policy)) return state;
  const int64_t idle = IdleWindows(policy, before.anchor_ns, start_ns);
  if (idle >= kBankedWindows) return state;
  state.carried =
      std::min(policy.burst, LeftOver(policy, before) + idle * policy.limit);
  return state;
}

// The start of the first window in which a charge of `cost` that `window`
// refused would fit if nobody else charged; INT64_MAX when there is none. A
// refused charge leaves `before`, so the bank grows and lapses from there, and
// a counter that nobody remembers banks nothing.
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
  // Else that window has passed, and the bank has lapsed since.
  return fits_ns >= window.end_ns ? fits_ns : INT64_MAX;
}

}  // namespace

WindowBounds WindowAt(const Policy& policy, int64_t time_ns) {
  if (policy.calendar != Calendar::kNone) {
    return CalendarWindowAt(policy, time_ns);
  }
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  int64_t into_ns = time_ns % length_ns;
  if (into_ns < 0) into_ns += length_ns;  // before the epoch
  return {.start_ns = time_ns - into_ns,
          .end_ns = time_ns - into_ns + length_ns};
}

Judgement JudgeFixedWindow(const Policy& policy, const CounterState& before,
                           const Ask& ask) {
  const WindowBounds window =
      WindowAt(policy, std::max(ask.now_ns, before.anchor_ns));
  CounterState state = TurnTo(policy, before, window.start_ns);
  const int64_t capacity = Capacity(policy, state);
  Judgement judgement{.after = before, .outcome = {}};
  Outcome& outcome = judgement.outcome;
  outcome.allowed =
      ask.always || ask.cost < 0 || state.used + ask.cost <= capacity;
  if (!outcome.allowed) {
    const int64_t fits_ns = FitsAt(policy, before, window, ask.cost);
    outcome.retry_after = fits_ns == INT64_MAX
                              ? absl::InfiniteDuration()
                              : absl::Nanoseconds(fits_ns - ask.now_ns);
  } else if (ask.cost != 0 && !IsOfAnotherSlot(ask, window.start_ns)) {
    state.used = ClampTo(state.used + ask.cost, 0, kMaxAmount);
    judgement.after = state;
    outcome.slot = absl::FromUnixNanos(window.start_ns);
  }
  outcome.remaining = std::max<int64_t>(0, capacity - state.used);
  outcome.reset_after = absl::Nanoseconds(window.end_ns - ask.now_ns);
  return judgement;
}

int64_t FixedWindowExpiryNs(const Policy& policy, const CounterState& state) {
  const WindowBounds window = WindowAt(policy, state.anchor_ns);
  return EarnsBurst(policy) ? EndAfter(policy, window, kBankedWindows)
                            : window.end_ns;
}

}  // namespace rls
