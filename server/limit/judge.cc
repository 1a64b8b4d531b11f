#include "limit/judge.h"

#include <algorithm>

#include "limit/algorithms.h"

namespace rls {
namespace {

// The years 1933 to 2116. Even with a broken clock, the sum of a time, the
// windows of a bank and the longest backlog of a bucket stays in 64 bits.
constexpr int64_t kEarliestNs = -(int64_t{1} << 60);
constexpr int64_t kLatestNs = int64_t{1} << 62;

Transition Probe(const Policy& policy, const CounterState& before, int64_t cost,
                 absl::Time now) {
  Transition look = Judge(policy, before, ChargeKind::kPeek, 0, now);
  const Outcome taken =
      Judge(policy, before, ChargeKind::kEnforce, cost, now).outcome;
  look.outcome.allowed = taken.allowed;
  look.outcome.retry_after = taken.retry_after;
  return look;
}

Transition State(const Policy& policy, const CounterState& before, int64_t cost,
                 absl::Time now) {
  Transition made = Judge(policy, before, ChargeKind::kReport, cost, now);
  if (cost <= 0) return made;
  // The charge is lost if the counter cannot hold it, for example if no unit
  // ever drips into the bucket.
  const bool is_lost = made.after == before;
  made.outcome =
      is_lost ? Judge(policy, before, ChargeKind::kEnforce, cost, now).outcome
              : Judge(policy, made.after, ChargeKind::kPeek, 0, now).outcome;
  if (!made.outcome.allowed) {
    made.outcome.left_before =
        Judge(policy, before, ChargeKind::kPeek, 0, now).outcome.remaining;
  }
  return made;
}

int64_t NowNs(absl::Time now) {
  return ClampTo(absl::ToUnixNanos(now), kEarliestNs, kLatestNs);
}

CounterState HealedBucket(const Policy& policy, const CounterState& state,
                          int64_t now_ns) {
  const int64_t window_ns = absl::ToInt64Nanoseconds(policy.window);
  if (state.anchor_ns <= now_ns + window_ns + kClockToleranceNs) return state;
  if (state.carried == 0) return {.anchor_ns = now_ns + window_ns};
  const int64_t charged_ns =
      std::min(state.carried, kLatestNs / kMicrosecondNs) * kMicrosecondNs;
  if (charged_ns <= now_ns + kClockToleranceNs) return state;
  const int64_t backlog_ns =
      ClampTo(state.anchor_ns - charged_ns, 0, kMaxBacklogNs);
  return {.anchor_ns = now_ns + backlog_ns,
          .carried = BucketMark(policy, backlog_ns, now_ns)};
}

}  // namespace

CounterState Healed(const Policy& policy, const CounterState& state,
                    absl::Time now) {
  const int64_t now_ns = NowNs(now);
  if (state.anchor_ns <= now_ns + kClockToleranceNs) return state;
  CounterState healed = state;
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
    case Algorithm::kSlidingWindow:
      healed.anchor_ns =
          std::min(state.anchor_ns, WindowAt(policy, now_ns).start_ns);
      return healed;
    case Algorithm::kTokenBucket:
      return HealedBucket(policy, state, now_ns);
    case Algorithm::kSingleWindow:
      healed.anchor_ns = AlignDown(now_ns, kMillisecondNs);
      return healed;
  }
  return healed;
}

Transition Judge(const Policy& policy, const CounterState& before,
                 ChargeKind kind, int64_t cost, absl::Time now,
                 const Booking* booking) {
  if (kind == ChargeKind::kProbe) return Probe(policy, before, cost, now);
  if (kind == ChargeKind::kStated || kind == ChargeKind::kStatedObserve) {
    return State(policy, before, cost, now);
  }
  const ChargeInput input{
      .cost = kind == ChargeKind::kPeek
                  ? 0
                  : ClampTo(cost, -kMaxAmount, kMaxAmount),
      .always = kind == ChargeKind::kReport,
      .now_ns = NowNs(now),
      .booking = kind == ChargeKind::kEnforce ? booking : nullptr,
  };
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
      return policy.queue ? JudgeQueuedWindow(policy, before, input)
                          : JudgeFixedWindow(policy, before, input);
    case Algorithm::kSlidingWindow:
      return JudgeSlidingWindow(policy, before, input);
    case Algorithm::kTokenBucket:
      return JudgeTokenBucket(policy, before, input);
    case Algorithm::kSingleWindow:
      return JudgeSingleWindow(policy, before, input);
  }
  return {.after = before, .outcome = {}};
}

absl::Time Expiry(const Policy& policy, const CounterState& state) {
  if (state.anchor_ns == CounterState::kNeverCharged) {
    return absl::InfinitePast();
  }
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
      return absl::FromUnixNanos(FixedWindowExpiryNs(policy, state));
    case Algorithm::kSlidingWindow:
      return absl::FromUnixNanos(SlidingWindowExpiryNs(policy, state));
    case Algorithm::kTokenBucket:
      return absl::FromUnixNanos(state.anchor_ns);
    case Algorithm::kSingleWindow:
      return absl::FromUnixNanos(state.anchor_ns) + policy.window;
  }
  return absl::InfinitePast();
}

}  // namespace rls
