#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "limiter/steps.h"
#include "rules/domain_spec.h"

namespace rls {
namespace {

struct Choice {
  const DegradeRule* rule = nullptr;
  absl::string_view model;
};

// The fate of a charge of the first take in the second one.
enum class Fate { kDrop, kTakeAgain, kHoldDegraded };

bool IsOver(const Charge& charge, const Outcome& outcome) {
  return Denies(charge.kind) && !outcome.allowed;
}

// Whether the first take made the charge although the request was refused.
bool IsMade(const Charge& charge, Accounting accounting) {
  return accounting == Accounting::kIndependent || AlwaysCharges(charge.kind) ||
         charge.cost < 0;
}

const DegradeRule* DegradeOf(const AppliedLimit& limit) {
  return limit.status.rule == nullptr ? nullptr
                                      : limit.status.rule->degrade.get();
}

absl::string_view ValueOf(const Query& query, absl::string_view key) {
  for (const Descriptor& descriptor : query.descriptors) {
    for (const Entry& entry : descriptor.entries) {
      if (entry.key == key) return entry.value;
    }
  }
  return "";
}

// The rule of the first exceeded limit. Nullopt if an exceeded limit does not
// degrade, or there is no cheaper model.
std::optional<Choice> Choose(const Taken& request) {
  const absl::Span<const Charge> charges = request.charges();
  const DegradeRule* first = nullptr;
  for (size_t i = 0; i < request.outcomes().size(); ++i) {
    if (!IsOver(charges[i], request.outcomes()[i])) continue;
    const DegradeRule* const rule = DegradeOf(request.limit(i));
    if (rule == nullptr || request.role(i) == ChargeRole::kRecord)
      return std::nullopt;
    if (first == nullptr) first = rule;
  }
  if (first == nullptr) return std::nullopt;
  const auto model =
      first->ModelFor(ValueOf(request.query(), first->model_key));
  if (!model.has_value()) return std::nullopt;
  return Choice{.rule = first, .model = *model};
}

// Marks the exceeded limits as degraded. One limit of degraded traffic holds a
// descriptor, however many of its limits are exceeded.
std::vector<Fate> MarkDegraded(Taken& request) {
  std::vector<Fate> fates(request.charges().size(), Fate::kDrop);
  std::optional<uint32_t> held;  // the last descriptor with such a limit
  for (size_t i = 0; i < fates.size(); ++i) {
    const Charge& charge = request.charges()[i];
    AppliedLimit& limit = request.limit(i);
    if (!IsOver(charge, request.outcomes()[i])) {
      if (!IsMade(charge, request.accounting())) fates[i] = Fate::kTakeAgain;
      continue;
    }
    limit.status.over_limit = false;
    limit.status.degraded = true;
    if (!DegradeOf(limit)->limit.has_value() || held == limit.descriptor) {
      continue;
    }
    held = limit.descriptor;
    fates[i] = Fate::kHoldDegraded;
  }
  return fates;
}

void ChangeCharges(Demand& request, const std::vector<Fate>& fates) {
  for (size_t i = 0; i < fates.size(); ++i) {
    AppliedLimit& limit = request.limit(i);
    Charge& charge = request.charge(i);
    if (fates[i] == Fate::kTakeAgain && limit.settled_later) {
      // The report of this request could not know which of its limits were
      // charged. So no limit is charged before the report.
      limit.kind = charge.kind = ChargeKind::kProbe;
    } else if (fates[i] == Fate::kHoldDegraded) {
      charge.policy = &*DegradeOf(limit)->limit;
      charge.key.scope = limit.status.rule->degrade_scope;
      charge.cost = request.hits(limit.descriptor);
      charge.kind = ChargeKind::kEnforce;
      request.MakeSubstitute(i);
    }
  }
  request.RemoveChargesIf(
      [&fates](size_t charge) { return fates[charge] == Fate::kDrop; });
}

class DegradeStep final : public Step<Taken> {
 public:
  explicit DegradeStep(Flow& flow) : flow_(flow) {}

  bool Concerns(const Taken& request) const override {
    if (request.is_degraded()) return false;
    const absl::Span<const Charge> charges = request.charges();
    const absl::Span<const Outcome> outcomes = request.outcomes();
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (IsOver(charges[i], outcomes[i])) return true;
    }
    return false;
  }

  void Run(Taken request) override {
    const std::optional<Choice> choice = Choose(request);
    if (!choice.has_value()) return flow_.Proceed(std::move(request));
    request.Degrade(*choice->rule, choice->model);
    const std::vector<Fate> fates = MarkDegraded(request);
    Demand again = std::move(request).Again();
    ChangeCharges(again, fates);
    flow_.Take(std::move(again));
  }

 private:
  Flow& flow_;
};

}  // namespace

std::unique_ptr<Step<Taken>> NewDegrade(Flow& flow) {
  return std::make_unique<DegradeStep>(flow);
}

}  // namespace rls
