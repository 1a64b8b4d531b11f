#include "limiter/leading.h"

#include <cstddef>
#include <optional>

namespace rls {
namespace {

bool IsQuota(const LimitStatus& status, const DecisionModes& modes) {
  return modes.quota || (status.rule != nullptr && status.rule->quota);
}

// QUOTA_MODE: each descriptor is a quota, also one without a limit.
bool AreAllOver(absl::Span<const AppliedLimit> limits,
                absl::Span<const LimitStatus> statuses) {
  size_t over = 0;
  std::optional<uint32_t> last;  // a descriptor may have several limits
  for (const AppliedLimit& limit : limits) {
    if (!limit.status.over_limit || last == limit.descriptor) continue;
    last = limit.descriptor;
    ++over;
  }
  if (over == 0) return false;
  for (const LimitStatus& status : statuses) over += status.unlimited ? 1 : 0;
  return over == statuses.size();
}

// LimitStatus::reset.
absl::Duration ResetOf(const Outcome& outcome, const Policy& policy) {
  if (outcome.allowed) return outcome.reset_after;
  if (outcome.retry_after < absl::InfiniteDuration()) {
    return outcome.retry_after;
  }
  return outcome.reset_after > absl::ZeroDuration() ? outcome.reset_after
                                                    : policy.window;
}

}  // namespace

void ShowOutcome(const Outcome& outcome, const Charge& charge,
                 AppliedLimit& limit) {
  const bool is_look_for_probe =
      limit.kind == ChargeKind::kProbe && charge.kind == ChargeKind::kPeek;
  const bool allowed =
      outcome.allowed && !(is_look_for_probe && outcome.remaining < limit.cost);
  LimitStatus& status = limit.status;
  const bool shadow = status.rule != nullptr && status.rule->shadow;
  limit.shadowed = !allowed && shadow;
  status.over_limit = !allowed && !shadow;
  status.remaining = allowed ? outcome.remaining : 0;
  status.never_fits =
      !outcome.allowed && outcome.retry_after == absl::InfiniteDuration();
  status.reset = ResetOf(outcome, *charge.policy);
  if (!outcome.allowed) {
    limit.left_before = outcome.left_before;
    limit.from_memory = outcome.from_memory;
  }
}

bool IsExceeded(absl::Span<const AppliedLimit> limits,
                absl::Span<const LimitStatus> statuses,
                const DecisionModes& modes) {
  if (modes.quota) return AreAllOver(limits, statuses);
  bool over_limit = false;
  bool any_quota = false;
  bool all_quota_over = true;
  for (const AppliedLimit& limit : limits) {
    const LimitStatus& status = limit.status;
    if (status.policy == nullptr) continue;
    if (status.rule != nullptr && status.rule->quota) {
      any_quota = true;
      all_quota_over &= status.over_limit;
    } else {
      over_limit |= status.over_limit;
    }
  }
  return over_limit || (any_quota && all_quota_over);
}

bool Leads(const LimitStatus& status, const LimitStatus& leader,
           bool over_limit) {
  if (!over_limit) return status.remaining < leader.remaining;
  if (status.never_fits != leader.never_fits) return status.never_fits;
  return status.reset > leader.reset;
}

const LimitStatus* LeadingOfTiers(absl::Span<const LimitStatus> statuses,
                                  bool over_limit) {
  const LimitStatus* leading = nullptr;
  for (const LimitStatus& status : statuses) {
    if (status.policy == nullptr) continue;
    if (over_limit && !status.over_limit) continue;
    if (leading == nullptr || Leads(status, *leading, over_limit)) {
      leading = &status;
    }
  }
  return leading;
}

const LimitStatus* LeadingOfDescriptors(absl::Span<const LimitStatus> statuses,
                                        const DecisionModes& modes) {
  const LimitStatus* leading = nullptr;
  for (const LimitStatus& status : statuses) {
    if (status.policy == nullptr) continue;
    const bool refuses = status.over_limit && !IsQuota(status, modes);
    if (leading == nullptr || refuses ||
        status.remaining < leading->remaining) {
      leading = &status;
    }
  }
  return leading;
}

}  // namespace rls
