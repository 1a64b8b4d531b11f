#include "config/reload_log.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace rls {
namespace {

size_t CountRules(const Domain& domain) {
  size_t rules = 0;
  domain.ForEachRule([&rules](const CompiledRule&) { ++rules; });
  return rules;
}

}  // namespace

void LogChanges(const RuleBook& before, const RuleBook& after) {
  std::set<std::string> names;
  for (const auto& [name, unused] : before.domains) names.insert(name);
  for (const auto& [name, unused] : after.domains) names.insert(name);
  for (const std::string& name : names) {
    const Domain* old_domain = before.Find(name);
    const Domain* new_domain = after.Find(name);
    if (old_domain == new_domain) continue;
    LogInfo(absl::StrCat(
        "domain \"", name, "\": ",
        new_domain == nullptr
            ? "removed"
            : absl::StrCat(old_domain == nullptr ? "added" : "reloaded", ", ",
                           CountRules(*new_domain), " rules")));
  }
}

}  // namespace rls
