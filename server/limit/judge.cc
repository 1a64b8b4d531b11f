#include "limit/judge.h"

#include "limit/algorithms.h"

namespace rls {
namespace {

// From the year 1933 to 2116: sums of a time, a bank's windows and the longest
// backlog of a bucket stay in 64 bits whatever a broken clock says.
constexpr int64_t kEarliestNs = -(int64_t{1} << 60);
constexpr int64_t kLatestNs = int64_t{1} << 62;

Judgement Probe(const Policy& policy, const CounterState& before, int64_t cost,
                absl::Time now) {
  Judgement look = Judge(policy, before, ChargeKind::kPeek, 0, now);
  const Outcome taken =
      Judge(policy, before, ChargeKind::kEnforce, cost, now).outcome;
  look.outcome.allowed = taken.allowed;
  look.outcome.retry_after = taken.retry_after;
  return look;
}

}  // namespace

Judgement Judge(const Policy& policy, const CounterState& before,
                ChargeKind kind, int64_t cost, absl::Time now,
                const Booking* booking) {
  if (kind == ChargeKind::kProbe) return Probe(policy, before, cost, now);
  const Ask ask{
      .cost = kind == ChargeKind::kPeek
                  ? 0
                  : ClampTo(cost, -kMaxAmount, kMaxAmount),
      .always = kind == ChargeKind::kReport,
      .now_ns = ClampTo(absl::ToUnixNanos(now), kEarliestNs, kLatestNs),
      .booking = kind == ChargeKind::kEnforce ? booking : nullptr,
  };
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
      return policy.queue ? JudgeQueuedWindow(policy, before, ask)
                          : JudgeFixedWindow(policy, before, ask);
    case Algorithm::kSlidingWindow:
      return JudgeSlidingWindow(policy, before, ask);
    case Algorithm::kTokenBucket:
      return JudgeTokenBucket(policy, before, ask);
    case Algorithm::kSingleWindow:
      return JudgeSingleWindow(policy, before, ask);
  }
  return {.after = before, .outcome = {}};
}

absl::Time Expiry(const Policy& policy, const CounterState& state) {
  if (state.anchor_ns == CounterState::kNeverCharged) {
    return absl::InfinitePast();
  }
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
      return absl::FromUnixNanos(policy.queue
                                     ? QueuedWindowExpiryNs(policy, state)
                                     : FixedWindowExpiryNs(policy, state));
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
