// What a decision does of passing on a cheaper model.

#include <utility>

#include "limit/reservation.h"
#include "limiter/decision.h"

namespace rls {
namespace {

bool IsOver(const Charge& charge, const Outcome& outcome) {
  return Denies(charge.kind) && !outcome.allowed;
}

// Made by the first Take already, whatever the others got.
bool IsMade(const Charge& charge, Accounting accounting) {
  return accounting == Accounting::kIndependent ||
         charge.kind == ChargeKind::kReport || charge.cost < 0;
}

}  // namespace

const DegradeRule* Decision::DegradeOf(size_t charge) const {
  const CompiledRule* rule = limits_[charged_[charge]].status.rule;
  return rule == nullptr ? nullptr : rule->degrade.get();
}

absl::string_view Decision::ValueOf(absl::string_view key) const {
  for (const Descriptor& descriptor : query_.descriptors) {
    for (const Entry& entry : descriptor.entries) {
      if (entry.key == key) return entry.value;
    }
  }
  return "";
}

bool Decision::Degrade(absl::Span<const Outcome> outcomes) {
  if (verdict_.degraded != nullptr) return false;
  const DegradeRule* degrade = nullptr;
  for (size_t i = 0; i < charges_.size(); ++i) {
    if (!IsOver(charges_[i], outcomes[i])) continue;
    if (DegradeOf(i) == nullptr || IsReserving(charges_[i])) return false;
    if (degrade == nullptr) degrade = DegradeOf(i);
  }
  if (degrade == nullptr) return false;
  const auto model = degrade->ModelFor(ValueOf(degrade->model_key));
  if (!model.has_value()) return false;
  verdict_.degraded = degrade;
  verdict_.model = *model;

  size_t kept = 0;
  std::vector<const DegradeRule*> held_by_rule;
  const auto keep = [&](const Charge& charge, size_t from,
                        const DegradeRule* held_by) {
    charges_[kept] = charge;
    charged_[kept] = charged_[from];
    held_by_rule.push_back(held_by);
    ++kept;
  };
  std::optional<size_t> held;  // the last descriptor of which one is
  for (size_t i = 0; i < charges_.size(); ++i) {
    Charge charge = charges_[i];
    AppliedLimit& limit = limits_[charged_[i]];
    const bool over = IsOver(charge, outcomes[i]);
    if (!over && !IsMade(charge, accounting())) {
      // Its report could not tell which of its limits have been charged: so
      // none is before, and nothing reserved.
      if (limit.status.rule != nullptr && limit.status.rule->reserves) {
        limit.kind = charge.kind = ChargeKind::kProbe;
      }
      keep(charge, i, nullptr);
      continue;
    }
    Apply(outcomes[i], i);
    if (!over) continue;
    const DegradeRule* const held_by = DegradeOf(i);
    limit.status.over_limit = false;
    limit.status.degraded = true;
    if (!held_by->limit.has_value() || held == limit.descriptor) continue;
    held = limit.descriptor;
    charge.policy = &*held_by->limit;
    charge.key.scope = limit.status.rule->degrade_scope;
    charge.cost = HitsOf(query_.descriptors[limit.descriptor]);
    charge.kind = ChargeKind::kEnforce;
    keep(charge, i, held_by);
  }
  charges_.resize(kept);
  charged_.resize(kept);
  degraded_ = std::move(held_by_rule);
  return true;
}

void Decision::ApplyDegraded(const Outcome& outcome, size_t charge) {
  if (outcome.allowed) return;
  LimitStatus& status = limits_[charged_[charge]].status;
  status.over_limit = true;
  status.degraded = false;
  status.reset = outcome.retry_after;
}

}  // namespace rls
