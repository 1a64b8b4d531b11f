#include <algorithm>

#include "absl/time/civil_time.h"
#include "limit/algorithms.h"

namespace rls {
namespace {

bool EarnsBurst(const Policy& policy) {
  return policy.burst_mode == BurstMode::kEarned && policy.burst > 0;
}

template <typename CivilUnit>
WindowBounds CivilBounds(CivilUnit first, absl::TimeZone zone) {
  return {
      .start_ns =
          absl::ToUnixNanos(absl::FromCivil(absl::CivilSecond(first), zone)),
      .end_ns = absl::ToUnixNanos(
          absl::FromCivil(absl::CivilSecond(first + 1), zone)),
  };
}

WindowBounds CalendarWindowAt(const Policy& policy, int64_t time_ns) {
  const absl::TimeZone zone = policy.zone;
  const absl::CivilSecond second =
      absl::ToCivilSecond(absl::FromUnixNanos(time_ns), zone);
  switch (policy.calendar) {
    case Calendar::kHour:
      return CivilBounds(absl::CivilHour(second), zone);
    case Calendar::kWeek: {
      const absl::CivilDay monday =
          absl::PrevWeekday(absl::CivilDay(second) + 1, absl::Weekday::monday);
      return {
          .start_ns = absl::ToUnixNanos(absl::FromCivil(monday, zone)),
          .end_ns = absl::ToUnixNanos(absl::FromCivil(monday + 7, zone)),
      };
    }
    case Calendar::kMonth:
      return CivilBounds(absl::CivilMonth(second), zone);
    case Calendar::kYear:
      return CivilBounds(absl::CivilYear(second), zone);
    case Calendar::kNone:
    case Calendar::kDay:
      break;
  }
  return CivilBounds(absl::CivilDay(second), zone);
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
    state.carried =
        EarnsBurst(policy) ? std::min(before.carried, policy.burst) : 0;
    return state;
  }
  if (!EarnsBurst(policy)) return state;
  const int64_t idle = IdleWindows(policy, before.anchor_ns, start_ns);
  if (idle >= kBankedWindows) return state;
  state.carried =
      std::min(policy.burst, LeftOver(policy, before) + idle * policy.limit);
  return state;
}

int64_t Capacity(const Policy& policy, const CounterState& state) {
  const int64_t extra =
      policy.burst_mode == BurstMode::kUpfront ? policy.burst : state.carried;
  return std::min(kMaxAmount, policy.limit + extra);
}

// The start of the first window in which a charge of `cost` would fit if nobody
// else charged; INT64_MAX when there is none before the bank lapses.
int64_t FitsAt(const Policy& policy, const CounterState& state,
               const WindowBounds& window, int64_t cost) {
  if (policy.burst_mode == BurstMode::kUpfront) {
    return cost <= policy.limit + policy.burst ? window.end_ns : INT64_MAX;
  }
  if (cost > policy.limit + policy.burst) return INT64_MAX;
  const int64_t bank_needed = std::max<int64_t>(0, cost - policy.limit);
  const int64_t missing = bank_needed - LeftOver(policy, state);
  if (missing <= 0) return window.end_ns;
  if (policy.limit == 0) return INT64_MAX;
  const int64_t idle = (missing + policy.limit - 1) / policy.limit;
  if (idle >= kBankedWindows) return INT64_MAX;
  return EndAfter(policy, window, idle);
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
    const int64_t fits_ns = FitsAt(policy, state, window, ask.cost);
    outcome.retry_after = fits_ns == INT64_MAX
                              ? absl::InfiniteDuration()
                              : absl::Nanoseconds(fits_ns - ask.now_ns);
  } else if (ask.cost != 0) {
    state.used = ClampTo(state.used + ask.cost, 0, kMaxAmount);
    judgement.after = state;
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
