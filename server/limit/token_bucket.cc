#include <algorithm>
#include <optional>

#include "limit/algorithms.h"

namespace rls {

int64_t BucketDepthNs(const Policy& policy) {
  if (policy.limit == 0) return 0;
  // burst + 1 units may come at once: one by the pace, and the burst. So any
  // span of a window's length admits at most limit + burst.
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

int64_t BucketMark(const Policy& policy, int64_t backlog_ns, int64_t now_ns) {
  return backlog_ns > absl::ToInt64Nanoseconds(policy.window)
             ? std::max<int64_t>(0, now_ns / kMicrosecondNs)
             : 0;
}

int64_t BucketQueueNs(const Policy& policy, int64_t units) {
  const int64_t unit_ns = BucketCostNs(policy, 1);
  if (policy.limit == 0) return 0;
  return units > kMaxBacklogNs / unit_ns ? kMaxBacklogNs : units * unit_ns;
}

namespace {

bool IsCrowded(const Policy& policy, const ChargeInput& input,
               int64_t wait_ns) {
  return input.booking != nullptr &&
         wait_ns > BucketQueueNs(policy, input.booking->max_queued);
}

bool MayWait(const Policy& policy, const ChargeInput& input, int64_t wait_ns) {
  return policy.queue && input.booking != nullptr &&
         absl::Nanoseconds(wait_ns) <= input.booking->max_wait &&
         !IsCrowded(policy, input, wait_ns);
}

void Refuse(const Policy& policy, const ChargeInput& input, bool never,
            int64_t wait_ns, Outcome& outcome) {
  if (never) {
    outcome.retry_after = absl::InfiniteDuration();
    return;
  }
  outcome.retry_after = absl::Nanoseconds(wait_ns);
  if (!policy.queue || input.booking == nullptr) return;
  outcome.crowded = IsCrowded(policy, input, wait_ns);
  const int64_t longest_wait_ns =
      std::min(absl::ToInt64Nanoseconds(input.booking->max_wait),
               BucketQueueNs(policy, input.booking->max_queued));
  outcome.retry_after -= absl::Nanoseconds(longest_wait_ns);
}

// The part of the backlog that a refund removes. While charges wait, a refund
// can give back the last slot only.
int64_t GivenBackNs(const Policy& policy, const CounterState& before,
                    const ChargeInput& input, int64_t backlog_ns) {
  std::optional<int64_t> slot_ns;
  if (input.booking != nullptr && input.booking->slot.has_value()) {
    slot_ns = absl::ToUnixNanos(*input.booking->slot);
  }
  int64_t most_ns = backlog_ns;
  if (policy.queue) {
    const bool may = slot_ns.has_value() ? *slot_ns == before.anchor_ns
                                         : backlog_ns <= BucketDepthNs(policy);
    if (!may) return 0;
  } else if (slot_ns.has_value()) {
    most_ns = ClampTo(*slot_ns - input.now_ns, 0, backlog_ns);
  }
  return std::min(most_ns, BucketCostNs(policy, input.cost));
}

}  // namespace

// GCRA: `anchor_ns` is the theoretical arrival time (TAT). A unit takes
// window / limit. Charges are rounded up and refunds are rounded down to whole
// nanoseconds, so rounding never frees quota.
// Source: ITU-T I.371, virtual scheduling algorithm.
Transition JudgeTokenBucket(const Policy& policy, const CounterState& before,
                            const ChargeInput& input) {
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  const int64_t tat_ns = std::max(before.anchor_ns, input.now_ns);
  const int64_t backlog_ns = tat_ns - input.now_ns;
  const int64_t depth_ns = BucketDepthNs(policy);
  const int64_t cost_ns = input.cost > 0 ? BucketCostNs(policy, input.cost) : 0;

  Transition transition{.after = before, .outcome = {}};
  Outcome& outcome = transition.outcome;
  int64_t after_ns = backlog_ns;
  const int64_t wait_ns = backlog_ns + cost_ns - depth_ns;
  outcome.allowed = input.always || input.cost < 0 || wait_ns <= 0 ||
                    (cost_ns <= depth_ns && MayWait(policy, input, wait_ns));
  if (!outcome.allowed) {
    Refuse(policy, input, cost_ns > depth_ns, wait_ns, outcome);
  } else if (input.cost > 0 && policy.limit > 0) {
    // Without a pace (limit 0) no debt is kept: it could never be paid off, and
    // would outlive a reload.
    after_ns = std::min(kMaxBacklogNs, backlog_ns + cost_ns);
    transition.after = {.anchor_ns = input.now_ns + after_ns,
                        .carried = BucketMark(policy, after_ns, input.now_ns)};
    if (!input.always) {
      outcome.wait = absl::Nanoseconds(std::max<int64_t>(0, wait_ns));
      outcome.slot = absl::FromUnixNanos(transition.after.anchor_ns);
    }
  } else if (input.cost < 0 && policy.limit > 0) {
    const int64_t back_ns = GivenBackNs(policy, before, input, backlog_ns);
    if (back_ns > 0) {
      after_ns -= back_ns;
      transition.after = {
          .anchor_ns = input.now_ns + after_ns,
          .carried = BucketMark(policy, after_ns, input.now_ns)};
    }
  }
  outcome.remaining =
      policy.limit == 0
          ? 0
          : std::min(kMaxAmount,
                     MulDivFloor(std::max<int64_t>(0, depth_ns - after_ns),
                                 policy.limit, length_ns));
  outcome.reset_after = absl::Nanoseconds(after_ns);
  return transition;
}

}  // namespace rls
