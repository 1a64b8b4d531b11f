#include "admin/refresh_tier.h"

#include <algorithm>
#include <latch>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace rls {
namespace {

// The source bounds each of its waits.
absl::StatusOr<std::string> AskAnew(TierSource& source,
                                    absl::string_view user) {
  absl::StatusOr<std::string> told = absl::UnknownError("");
  std::latch done(1);
  source.Refresh(user, [&](const absl::StatusOr<std::string>& answer) {
    told = answer;
    done.count_down();
  });
  done.wait();
  return told;
}

bool HasTier(const Domain& domain, absl::string_view tier) {
  bool found = false;
  domain.ForEachRule(
      [&](const CompiledRule& rule) { found |= rule.tier == tier; });
  return found;
}

std::string LineOf(const Domain& domain,
                   const absl::StatusOr<std::string>& told) {
  if (!told.ok()) return std::string(told.status().message());
  if (told->empty()) return "no tier";
  return absl::StrCat("tier ", EscapeControls(*told),
                      HasTier(domain, *told) ? "" : ", not in user_tiers");
}

}  // namespace

RefreshedTier RefreshTier(const RuleBook& book, absl::string_view domain,
                          absl::string_view user) {
  const std::map<std::string, std::shared_ptr<const Domain>> domains(
      book.domains.begin(), book.domains.end());
  RefreshedTier refreshed;
  for (const auto& [name, found] : domains) {
    const bool is_meant = domain.empty() || domain == name;
    if (!is_meant || found->tier_source() == nullptr) continue;
    const absl::StatusOr<std::string> told =
        AskAnew(*found->tier_source(), user);
    absl::StrAppend(&refreshed.text, EscapeControls(name), ": ",
                    LineOf(*found, told), "\n");
    const int http_status =
        told.ok() ? 200 : (absl::IsInvalidArgument(told.status()) ? 400 : 502);
    refreshed.http_status = std::max(refreshed.http_status, http_status);
  }
  if (refreshed.text.empty()) {
    return {.http_status = 404, .text = "no such domain has a tier source\n"};
  }
  return refreshed;
}

}  // namespace rls
