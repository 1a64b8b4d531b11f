#include "config/reload_log.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"

namespace rls {
namespace {

// Changed rules that are named; the rest is only counted.
constexpr size_t kMaxNamed = 10;

std::string RuleText(const Rule& rule) {
  if (rule.unlimited) return "unlimited";
  const Policy& policy = rule.policy;
  return absl::StrCat(
      policy.limit, rule.counted == Counted::kTokens ? " tokens" : "", " per ",
      policy.calendar == Calendar::kNone
          ? absl::FormatDuration(policy.window)
          : absl::StrCat(CalendarWord(policy.calendar), " of ",
                         policy.zone.name()),
      " ", AlgorithmWord(policy.algorithm),
      policy.burst == 0 ? "" : absl::StrCat(" burst ", policy.burst),
      policy.burst_mode == BurstMode::kUpfront ? " upfront" : "",
      rule.shadow ? " shadow" : "", rule.quota ? " quota" : "",
      rule.reserves ? " reserve" : "",
      rule.lease.has_value() ? " lease " + LeaseText(*rule.lease) : "",
      policy.queue ? " queue" : "", rule.degrade != nullptr ? " degrade" : "");
}

std::map<std::string, std::string> TextsOf(const Domain* domain) {
  std::map<std::string, std::string> texts;
  if (domain == nullptr) return texts;
  domain->ForEachRule([&texts](const CompiledRule& rule) {
    texts.emplace(rule.path, RuleText(rule));
  });
  return texts;
}

// "3 rules, 1 added, 0 removed, 1 changed: user 5 per 1m fixed_window -> 6 ..."
std::string Difference(const Domain* before, const Domain* after) {
  const std::map<std::string, std::string> old_texts = TextsOf(before);
  const std::map<std::string, std::string> new_texts = TextsOf(after);
  size_t kept = 0;
  std::vector<std::string> changed;
  for (const auto& [path, text] : new_texts) {
    const auto old = old_texts.find(path);
    if (old == old_texts.end()) continue;
    ++kept;
    if (old->second == text) continue;
    changed.push_back(absl::StrCat(path, ": ", old->second, " -> ", text));
  }
  const size_t count = changed.size();
  if (count > kMaxNamed) {
    changed.resize(kMaxNamed);
    changed.push_back("...");
  }
  return absl::StrCat(new_texts.size(), " rules, ", new_texts.size() - kept,
                      " added, ", old_texts.size() - kept, " removed, ", count,
                      " changed", count == 0 ? "" : "; ",
                      absl::StrJoin(changed, ", "));
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
        "domain \"", name, "\" ",
        new_domain == nullptr ? "removed"
        : old_domain == nullptr
            ? absl::StrCat("added: ", TextsOf(new_domain).size(), " rules")
            : absl::StrCat("reloaded: ", Difference(old_domain, new_domain))));
  }
}

}  // namespace rls
