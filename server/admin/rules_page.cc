#include "admin/rules_page.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace rls {
namespace {

std::string WindowOf(const Policy& policy) {
  if (policy.calendar == Calendar::kNone) {
    return absl::FormatDuration(policy.window);
  }
  return absl::StrCat("calendar ", CalendarWord(policy.calendar), " ",
                      policy.zone.name());
}

std::string BurstOf(const Policy& policy) {
  if (policy.burst == 0) return "";
  const bool has_mode = policy.algorithm == Algorithm::kFixedWindow;
  const bool earned = policy.burst_mode == BurstMode::kEarned;
  return absl::StrCat(", burst=", policy.burst,
                      !has_mode ? "" : (earned ? " (earned)" : " (upfront)"));
}

std::string RuleLine(const std::string& domain, const CompiledRule& rule) {
  const std::string place =
      absl::StrCat(EscapeControls(domain), ".", EscapeControls(rule.path));
  if (rule.unlimited) return absl::StrCat(place, ": unlimited\n");
  return absl::StrCat(
      place, ": limit=", rule.policy.limit, " window=", WindowOf(rule.policy),
      ", algorithm=", AlgorithmWord(rule.policy.algorithm),
      BurstOf(rule.policy),
      rule.counted == Counted::kTokens ? ", counts: tokens" : "",
      rule.reserves ? ", reserve: estimated" : "",
      rule.lease.has_value() ? ", lease: " + LeaseText(*rule.lease) : "",
      ", shadow_mode: ", rule.shadow ? "true" : "false",
      ", quota_mode: ", rule.quota ? "true" : "false", "\n");
}

}  // namespace

std::string RulesPage(const RuleBook& book) {
  const std::map<std::string, std::shared_ptr<const Domain>> domains(
      book.domains.begin(), book.domains.end());
  std::string page;
  for (const auto& [name, domain] : domains) {
    domain->ForEachRule([&page, &name = name](const CompiledRule& rule) {
      page += RuleLine(name, rule);
    });
  }
  return page;
}

}  // namespace rls
