#include <algorithm>

#include "limit/algorithms.h"

namespace rls {

int64_t BucketDepthNs(const Policy& policy) {
  if (policy.limit == 0) return 0;
  // burst + 1 units may come at once: the one that the pace grants now and the
  // burst beyond it. That makes limit + burst the most in any window.
  return std::min(
      kMaxBacklogNs,
      MulDivCeil(policy.burst + 1, absl::ToInt64Nanoseconds(policy.window),
                 policy.limit));
}

int64_t BucketCostNs(const Policy& policy, int64_t cost) {
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  if (cost == 0) return 0;
  if (policy.limit == 0) return cost > 0 ? kMaxBacklogNs : 0;
  if (cost < 0) return MulDivFloor(-cost, length_ns, policy.limit);
  return std::min(kMaxBacklogNs, MulDivCeil(cost, length_ns, policy.limit));
}

// GCRA: `anchor_ns` is the theoretical arrival time (TAT). A unit is worth
// window / limit; a charge is rounded up and a refund down to whole
// nanoseconds, so that rounding never frees quota.
// Source: ITU-T I.371, virtual scheduling algorithm.
Judgement JudgeTokenBucket(const Policy& policy, const CounterState& before,
                           const Ask& ask) {
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  const int64_t tat_ns = std::max(before.anchor_ns, ask.now_ns);
  const int64_t backlog_ns = tat_ns - ask.now_ns;
  const int64_t depth_ns = BucketDepthNs(policy);
  const int64_t cost_ns = ask.cost > 0 ? BucketCostNs(policy, ask.cost) : 0;

  Judgement judgement{.after = before, .outcome = {}};
  Outcome& outcome = judgement.outcome;
  int64_t after_ns = backlog_ns;
  outcome.allowed =
      ask.always || ask.cost < 0 || backlog_ns + cost_ns <= depth_ns;
  if (!outcome.allowed) {
    outcome.retry_after =
        cost_ns > depth_ns ? absl::InfiniteDuration()
                           : absl::Nanoseconds(backlog_ns + cost_ns - depth_ns);
  } else if (ask.cost > 0 && policy.limit > 0) {
    // A limit of 0 has no pace to pay a debt at: it would outlive a reload.
    after_ns = std::min(kMaxBacklogNs, backlog_ns + cost_ns);
    judgement.after.anchor_ns = ask.now_ns + after_ns;
  } else if (ask.cost < 0 && backlog_ns > 0 && policy.limit > 0) {
    after_ns -= std::min(backlog_ns, BucketCostNs(policy, ask.cost));
    judgement.after.anchor_ns = ask.now_ns + after_ns;
  }
  outcome.remaining =
      policy.limit == 0
          ? 0
          : std::min(kMaxAmount,
                     MulDivFloor(std::max<int64_t>(0, depth_ns - after_ns),
                                 policy.limit, length_ns));
  outcome.reset_after = absl::Nanoseconds(after_ns);
  return judgement;
}

}  // namespace rls
