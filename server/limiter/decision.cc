#include "limiter/decision.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace rls {
namespace {

// A shadow rule never denies; a quota rule only together with all other quota
// rules of the request, so the store must not let it stop its siblings either.
ChargeKind KindOf(const CompiledRule* rule, int64_t cost) {
  if (cost == 0) return ChargeKind::kPeek;
  if (rule != nullptr && (rule->shadow || rule->quota)) {
    return ChargeKind::kObserve;
  }
  return ChargeKind::kEnforce;
}

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
      slots_(query.descriptors.size()) {
  verdict_.statuses.resize(slots_.size());
  FindLimits();
}

void Decision::FindLimits() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Descriptor& descriptor = query_.descriptors[i];
    Slot& slot = slots_[i];
    LimitStatus& status = verdict_.statuses[i];
    if (descriptor.limit_override.has_value()) {
      status.policy = &*descriptor.limit_override;
      slot.own_scope = CounterScope(domain_.name(), *status.policy);
      for (const Entry& entry : descriptor.entries) {
        slot.match.parts.push_back(entry.key);
        slot.match.parts.push_back(entry.value);
        slot.match.secret |= HoldsSecrets(entry.key);
      }
      continue;
    }
    domain_.Find(descriptor.entries, slot.match);
    SetRule(slot.match.rule, status);
    if (slot.match.asks_source) ++asks_;
  }
}

void Decision::SetRule(const CompiledRule* rule, LimitStatus& status) {
  status.rule = rule;
  if (rule == nullptr) return;
  status.unlimited = rule->unlimited;
  status.policy = rule->unlimited ? nullptr : &rule->policy;
}

// Every matched rule whose name another matched rule lists is dropped, in
// whatever order they come; a dropped one still drops others.
void Decision::DropReplaced() {
  absl::flat_hash_set<absl::string_view> replaced;
  for (const LimitStatus& status : verdict_.statuses) {
    if (status.rule == nullptr) continue;
    replaced.insert(status.rule->replaces.begin(), status.rule->replaces.end());
  }
  if (replaced.empty()) return;
  for (LimitStatus& status : verdict_.statuses) {
    if (status.rule == nullptr || status.unlimited) continue;
    if (!replaced.contains(status.rule->name)) continue;
    status = LimitStatus{};
  }
}

void Decision::MakeCharges() {
  DropReplaced();
  for (size_t i = 0; i < slots_.size(); ++i) {
    const LimitStatus& status = verdict_.statuses[i];
    if (status.policy == nullptr) continue;
    const Match& match = slots_[i].match;
    const int64_t cost = CostOf(query_.descriptors[i]);
    const absl::string_view scope =
        status.rule != nullptr ? absl::string_view(status.rule->scope)
                               : absl::string_view(slots_[i].own_scope);
    charges_.push_back(
        {.policy = status.policy,
         .key = {.scope = scope,
                 .parts = match.parts,
                 .tag_part = match.tag_part,
                 .secret = match.secret},
         .cost = cost,
         .kind = KindOf(status.rule, cost),
         // A caller's own limit is its business.
         .refundable = status.rule == nullptr || status.rule->refundable});
    charged_.push_back(i);
    queues_ |= Queues(charges_.back());
  }
}

int64_t Decision::CostOf(const Descriptor& descriptor) const {
  // In a request, 0 means 1; in a descriptor, 0 looks without charging.
  const uint64_t hits =
      descriptor.hits.value_or(query_.hits == 0 ? 1 : query_.hits);
  const int64_t cost = SaturateAmount(hits);
  return descriptor.is_negative_hits ? -cost : cost;
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
  if (!degraded_.empty() && degraded_[charge] != nullptr) {
    ApplyDegraded(outcome, charge);
    return;
  }
  LimitStatus& status = verdict_.statuses[charged_[charge]];
  const bool shadow = status.rule != nullptr && status.rule->shadow;
  status.over_limit = !outcome.allowed && !shadow;
  status.remaining = outcome.allowed ? outcome.remaining : 0;
  status.reset = outcome.allowed ? outcome.reset_after : outcome.retry_after;
  if (!outcome.allowed && shadow) {
    status.rule->counters.shadowed->Add(
        static_cast<double>(charges_[charge].cost));
  }
}

// Makes the overall verdict and its leading status out of the statuses.
void Decision::Conclude() {
  bool any_quota = false;
  bool all_quota_over = true;
  for (const LimitStatus& status : verdict_.statuses) {
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

  for (const LimitStatus& status : verdict_.statuses) {
    if (status.policy == nullptr) continue;
    if (verdict_.over_limit && !status.over_limit) continue;
    if (verdict_.leading == nullptr ||
        Leads(status, *verdict_.leading, verdict_.over_limit)) {
      verdict_.leading = &status;
    }
  }
}

void Decision::Count() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const LimitStatus& status = verdict_.statuses[i];
    if (status.policy == nullptr || status.rule == nullptr) continue;
    if (verdict_.over_limit && !status.over_limit) continue;
    const int64_t cost = CostOf(query_.descriptors[i]);
    if (cost <= 0) continue;
    const RuleCounters& counters = status.rule->counters;
    Counter* const counter = status.over_limit ? counters.over_limit
                             : status.degraded ? counters.degraded
                                               : counters.ok;
    counter->Add(static_cast<double>(cost));
  }
}

OnBackendError Decision::PolicyOf(size_t charge) const {
  const CompiledRule* rule = verdict_.statuses[charged_[charge]].rule;
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
  KeepCharges(OnBackendError::kLocal);
  shares_.reserve(charges_.size());  // the charges point into it
  for (Charge& charge : charges_) {
    shares_.push_back(ShareOf(*charge.policy, replicas));
    charge.policy = &shares_.back();
    charge.booking = nullptr;  // nobody waits for a store that is away
  }
}

// The descriptors of all other charges are answered as if no limit applied: it
// does not, while nothing can be counted for it.
void Decision::KeepCharges(OnBackendError policy) {
  size_t kept = 0;
  for (size_t i = 0; i < charges_.size(); ++i) {
    if (PolicyOf(i) != policy) {
      verdict_.statuses[charged_[i]] = LimitStatus{};
      continue;
    }
    charges_[kept] = charges_[i];
    charged_[kept] = charged_[i];
    if (!degraded_.empty()) degraded_[kept] = degraded_[i];
    ++kept;
  }
  charges_.resize(kept);
  charged_.resize(kept);
}

}  // namespace rls
