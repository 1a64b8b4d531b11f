#include "limiter/decision.h"

#include <algorithm>
#include <utility>

#include "limit/reservation.h"

namespace rls {
namespace {

// What one of so many replicas may let through of a limit: together they never
// let through more, but where the limit is smaller than their number.
Policy ShareOf(const Policy& policy, int replicas) {
  Policy share = policy;
  if (policy.limit > 0) {
    share.limit = std::max<int64_t>(1, policy.limit / replicas);
  }
  share.burst = policy.burst / replicas;
  return share;
}

bool Leads(const LimitStatus& status, const LimitStatus& leader,
           bool over_limit) {
  if (over_limit) return status.reset > leader.reset;
  return status.remaining < leader.remaining;
}

}  // namespace

Decision::Decision(std::shared_ptr<const RuleBook> book, const Domain& domain,
                   const Query& query)
    : book_(std::move(book)),
      domain_(domain),
      query_(query),
      matches_(query.descriptors.size()) {
  verdict_.statuses.resize(matches_.size());
  FindLimits();
}

RareParts& Decision::Rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<RareParts>();
  return *rare_;
}

const Verdict& Decision::Judge(absl::Span<const Outcome> outcomes) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Apply(outcomes[i], i);
    if (charges_[i].booking != nullptr) Book(outcomes[i], i);
  }
  Conclude();
  if (wait() == absl::ZeroDuration()) Count();
  return verdict_;
}

void Decision::Apply(const Outcome& outcome, size_t charge) {
  LimitStatus& status = limits_[charged_[charge]].status;
  if (IsReserving(charges_[charge]) && outcome.allowed) return;
  if (!degraded_.empty() && degraded_[charge] != nullptr) {
    ApplyDegraded(outcome, charge);
    return;
  }
  const bool shadow = status.rule != nullptr && status.rule->shadow;
  status.over_limit = !outcome.allowed && !shadow;
  status.remaining = outcome.allowed ? outcome.remaining : 0;
  status.reset = outcome.allowed ? outcome.reset_after : outcome.retry_after;
  if (!outcome.allowed && shadow) {
    status.rule->counters.shadowed->Add(
        static_cast<double>(charges_[charge].cost));
  }
}

// Makes the overall verdict and its leading status out of those of the limits.
void Decision::Conclude() {
  bool any_quota = false;
  bool all_quota_over = true;
  for (const AppliedLimit& limit : limits_) {
    const LimitStatus& status = limit.status;
    if (status.policy == nullptr) continue;
    if (status.rule != nullptr && status.rule->quota) {
      any_quota = true;
      all_quota_over &= status.over_limit;
    } else {
      verdict_.over_limit |= status.over_limit;
    }
  }
  verdict_.over_limit |= any_quota && all_quota_over;
  if (verdict_.over_limit) verdict_.degraded = nullptr;

  ShowLimits();
  for (const LimitStatus& status : verdict_.statuses) {
    if (status.policy == nullptr) continue;
    if (verdict_.over_limit && !status.over_limit) continue;
    if (verdict_.leading == nullptr ||
        Leads(status, *verdict_.leading, verdict_.over_limit)) {
      verdict_.leading = &status;
    }
  }
}

// Of several limits of a descriptor the one that leads speaks for it, and one
// that is over before others.
void Decision::ShowLimits() {
  for (LimitStatus& shown : verdict_.statuses) {
    if (shown.policy != nullptr) shown = LimitStatus{};
  }
  for (const AppliedLimit& limit : limits_) {
    const LimitStatus& status = limit.status;
    LimitStatus& shown = verdict_.statuses[limit.descriptor];
    if (status.policy == nullptr) continue;
    if (shown.policy == nullptr || (status.over_limit && !shown.over_limit) ||
        (status.over_limit == shown.over_limit &&
         Leads(status, shown, status.over_limit))) {
      shown = status;
    }
  }
}

void Decision::Count() {
  for (const AppliedLimit& limit : limits_) {
    const LimitStatus& status = limit.status;
    if (status.policy == nullptr || status.rule == nullptr) continue;
    if (verdict_.over_limit && !status.over_limit &&
        limit.kind != ChargeKind::kReport) {
      continue;
    }
    const RuleCounters& counters = status.rule->counters;
    Counter* const counter = status.over_limit ? counters.over_limit
                             : status.degraded ? counters.degraded
                                               : counters.ok;
    const bool was_charged = !OnlyLooks(limit.kind) || counter != counters.ok;
    if (limit.cost > 0 && was_charged) {
      counter->Add(static_cast<double>(limit.cost));
    }
  }
}

OnBackendError Decision::PolicyOf(size_t charge) const {
  const CompiledRule* rule = limits_[charged_[charge]].status.rule;
  return rule == nullptr ? OnBackendError::kError : rule->on_backend_error;
}

bool Decision::Wants(OnBackendError policy) const {
  for (size_t i = 0; i < charges_.size(); ++i) {
    if (PolicyOf(i) == policy) return true;
  }
  return false;
}

const Verdict& Decision::JudgeWithoutStore() {
  // Nothing is known of a reset; a client that comes back in a second is soon
  // enough served and not a flood.
  Outcome denied;
  denied.allowed = false;
  denied.retry_after = absl::Seconds(1);
  KeepCharges(OnBackendError::kDeny);
  for (size_t i = 0; i < charges_.size(); ++i) {
    Apply(denied, i);
  }
  Conclude();
  Count();
  return verdict_;
}

void Decision::KeepLocalCharges(int replicas) {
  is_local_ = true;
  KeepCharges(OnBackendError::kLocal);
  std::vector<Policy>& shares = Rare().shares;
  shares.reserve(charges_.size());  // the charges point into it
  for (Charge& charge : charges_) {
    shares.push_back(ShareOf(*charge.policy, replicas));
    charge.policy = &shares.back();
    charge.booking = nullptr;  // nobody waits for a store that is away
  }
}

// The descriptors of all other charges are answered as if no limit applied: it
// does not, while nothing can be counted for it.
void Decision::KeepCharges(OnBackendError policy) {
  size_t kept = 0;
  for (size_t i = 0; i < charges_.size(); ++i) {
    if (PolicyOf(i) != policy) {
      limits_[charged_[i]].status = LimitStatus{};
      continue;
    }
    // What is counted here nobody could give back elsewhere.
    if (IsReserving(charges_[i])) continue;
    charges_[kept] = charges_[i];
    charged_[kept] = charged_[i];
    if (!degraded_.empty()) degraded_[kept] = degraded_[i];
    ++kept;
  }
  charges_.resize(kept);
  charged_.resize(kept);
}

}  // namespace rls
