#include "limit/algorithms.h"

namespace rls {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

Judgement JudgeSingleWindow(const Policy& policy, const CounterState& before,
                            const Ask& ask) {
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  CounterState state = before;
  if (before.anchor_ns == CounterState::kNeverCharged ||
      ask.now_ns >= before.anchor_ns + length_ns) {
    int64_t into_ns = ask.now_ns % kMillisecondNs;
    if (into_ns < 0) into_ns += kMillisecondNs;  // before the epoch
    state = {.anchor_ns = ask.now_ns - into_ns};
  }
  const int64_t end_ns = state.anchor_ns + length_ns;
  Judgement judgement{.after = before, .outcome = {}};
  Outcome& outcome = judgement.outcome;
  outcome.allowed =
      ask.always || ask.cost < 0 || state.used + ask.cost <= policy.limit;
  if (!outcome.allowed) {
    outcome.retry_after = ask.cost > policy.limit
                              ? absl::InfiniteDuration()
                              : absl::Nanoseconds(end_ns - ask.now_ns);
  } else {
    outcome.slot = absl::FromUnixNanos(state.anchor_ns);
    if (ask.cost != 0 && !IsOfAnotherSlot(ask, state.anchor_ns)) {
      state.used = ClampTo(state.used + ask.cost, 0, kMaxAmount);
      judgement.after = state;
    }
  }
  outcome.remaining = ClampTo(policy.limit - state.used, 0, kMaxAmount);
  outcome.reset_after = absl::Nanoseconds(end_ns - ask.now_ns);
  return judgement;
}

}  // namespace rls
