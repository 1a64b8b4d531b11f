#include <algorithm>
#include <optional>

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

int64_t BucketQueueNs(const Policy& policy, int64_t units) {
  const int64_t unit_ns = BucketCostNs(policy, 1);
  if (policy.limit == 0) return 0;
  return units > kMaxBacklogNs / unit_ns ? kMaxBacklogNs : units * unit_ns;
}

namespace {

bool IsCrowded(const Policy& policy, const Ask& ask, int64_t wait_ns) {
  return ask.booking != nullptr &&
         wait_ns > BucketQueueNs(policy, ask.booking->max_queued);
}

bool MayWait(const Policy& policy, const Ask& ask, int64_t wait_ns) {
  return policy.queue && ask.booking != nullptr &&
         absl::Nanoseconds(wait_ns) <= ask.booking->max_wait &&
         !IsCrowded(policy, ask, wait_ns);
}

void Refuse(const Policy& policy, const Ask& ask, bool never, int64_t wait_ns,
            Outcome& outcome) {
  if (never) {
    outcome.retry_after = absl::InfiniteDuration();
    return;
  }
  outcome.retry_after = absl::Nanoseconds(wait_ns);
  if (!policy.queue || ask.booking == nullptr) return;
  outcome.crowded = IsCrowded(policy, ask, wait_ns);
  const int64_t patience_ns =
      std::min(absl::ToInt64Nanoseconds(ask.booking->max_wait),
               BucketQueueNs(policy, ask.booking->max_queued));
  outcome.retry_after -= absl::Nanoseconds(patience_ns);
}

// Of a backlog, what a refund takes of it. While others wait, only the last
// slot can be given back.
int64_t GivenBackNs(const Policy& policy, const CounterState& before,
                    const Ask& ask, int64_t backlog_ns) {
  std::optional<int64_t> slot_ns;
  if (ask.booking != nullptr && ask.booking->slot.has_value()) {
    slot_ns = absl::ToUnixNanos(*ask.booking->slot);
  }
  int64_t most_ns = backlog_ns;
  if (policy.queue) {
    const bool may = slot_ns.has_value() ? *slot_ns == before.anchor_ns
                                         : backlog_ns <= BucketDepthNs(policy);
    if (!may) return 0;
  } else if (slot_ns.has_value()) {
    most_ns = ClampTo(*slot_ns - ask.now_ns, 0, backlog_ns);
  }
  return std::min(most_ns, BucketCostNs(policy, ask.cost));
}

}  // namespace

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
  const int64_t wait_ns = backlog_ns + cost_ns - depth_ns;
  outcome.allowed = ask.always || ask.cost < 0 || wait_ns <= 0 ||
                    (cost_ns <= depth_ns && MayWait(policy, ask, wait_ns));
  if (!outcome.allowed) {
    Refuse(policy, ask, cost_ns > depth_ns, wait_ns, outcome);
  } else if (ask.cost > 0 && policy.limit > 0) {
    // A limit of 0 has no pace to pay a debt at: it would outlive a reload.
    after_ns = std::min(kMaxBacklogNs, backlog_ns + cost_ns);
    judgement.after.anchor_ns = ask.now_ns + after_ns;
    if (!ask.always) {
      outcome.wait = absl::Nanoseconds(std::max<int64_t>(0, wait_ns));
      outcome.slot = absl::FromUnixNanos(judgement.after.anchor_ns);
    }
  } else if (ask.cost < 0 && policy.limit > 0) {
    const int64_t back_ns = GivenBackNs(policy, before, ask, backlog_ns);
    if (back_ns > 0) {
      after_ns -= back_ns;
      judgement.after.anchor_ns = ask.now_ns + after_ns;
    }
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
