// What a decision does of passing on a cheaper model.

#include <utility>

#include "limiter/decision.h"

namespace rls {
namespace {

bool IsOver(const Charge& charge, const Outcome& outcome) {
  return charge.kind == ChargeKind::kEnforce && !outcome.allowed;
}

// Made by the first Take already, whatever the others got.
bool IsMade(const Charge& charge, Accounting accounting) {
  return accounting == Accounting::kIndependent ||
         charge.kind == ChargeKind::kReport || charge.cost < 0;
}

}  // namespace

const DegradeRule* Decision::DegradeOf(size_t charge) const {
  const CompiledRule* rule = verdict_.statuses[charged_[charge]].rule;
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
    if (DegradeOf(i) == nullptr) return false;
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
  for (size_t i = 0; i < charges_.size(); ++i) {
    Charge charge = charges_[i];
    const bool over = IsOver(charge, outcomes[i]);
    if (!over && !IsMade(charge, accounting())) {
      keep(charge, i, nullptr);
      continue;
    }
    Apply(outcomes[i], i);
    if (!over) continue;
    const DegradeRule* const held_by = DegradeOf(i);
    LimitStatus& status = verdict_.statuses[charged_[i]];
    status.over_limit = false;
    status.degraded = true;
    if (!held_by->limit.has_value()) continue;
    charge.policy = &*held_by->limit;
    charge.key.scope = status.rule->degrade_scope;
    keep(charge, i, held_by);
  }
  charges_.resize(kept);
  charged_.resize(kept);
  degraded_ = std::move(held_by_rule);
  return true;
}

void Decision::ApplyDegraded(const Outcome& outcome, size_t charge) {
  if (outcome.allowed) return;
  LimitStatus& status = verdict_.statuses[charged_[charge]];
  status.over_limit = true;
  status.degraded = false;
  status.reset = outcome.retry_after;
}

}  // namespace rls
