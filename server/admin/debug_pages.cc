#include "admin/debug_pages.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "admin/failure.h"
#include "base/text.h"

namespace rls {
namespace {

std::map<std::string, std::shared_ptr<const Domain>> Sorted(
    const RuleBook& book) {
  return {book.domains.begin(), book.domains.end()};
}

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
  if (rule.unlimited) return absl::StrCat(place, ": unlimited");
  return absl::StrCat(
      place, ": limit=", rule.policy.limit, " window=", WindowOf(rule.policy),
      ", algorithm=", AlgorithmWord(rule.policy.algorithm),
      BurstOf(rule.policy),
      rule.counted == Counted::kTokens ? ", counts: tokens" : "",
      rule.reserves ? ", reserve: estimated" : "",
      rule.lease.has_value() ? ", lease: " + LeaseText(*rule.lease) : "",
      ", shadow_mode: ", rule.shadow ? "true" : "false",
      ", quota_mode: ", rule.quota ? "true" : "false");
}

bool HasTier(const Domain& domain, absl::string_view tier) {
  bool found = false;
  domain.ForEachRule(
      [&](const CompiledRule& rule) { found |= rule.tier == tier; });
  return found;
}

std::string LineOf(const Domain& domain,
                   const absl::StatusOr<std::string>& tier) {
  if (!tier.ok()) return std::string(tier.status().message());
  if (tier->empty()) return "no tier";
  return absl::StrCat("tier ", EscapeControls(*tier),
                      HasTier(domain, *tier) ? "" : ", not in user_tiers");
}

// The look-ups of one request. The last answer sends the reply.
class Refreshing {
 public:
  struct LookUp {
    std::string name;
    std::shared_ptr<const Domain> domain;
    std::string line;
    int http_status = 200;
  };

  Refreshing(std::vector<LookUp> lookups, HttpReply reply)
      : lookups_(std::move(lookups)),
        left_(lookups_.size()),
        reply_(std::move(reply)) {}

  const std::vector<LookUp>& lookups() const { return lookups_; }

  // Each index once.
  void OnAnswer(size_t index, const absl::StatusOr<std::string>& tier) {
    LookUp& one = lookups_[index];
    one.line = absl::StrCat(EscapeControls(one.name), ": ",
                            LineOf(*one.domain, tier), "\n");
    if (!tier.ok()) {
      one.http_status = absl::IsInvalidArgument(tier.status()) ? 400 : 502;
    }
    if (left_.fetch_sub(1) == 1) Send();
  }

 private:
  void Send() {
    std::string text;
    int http_status = 200;
    for (const LookUp& one : lookups_) {
      text += one.line;
      http_status = std::max(http_status, one.http_status);
    }
    reply_.Send({.status = http_status, .type = kPlainText, .body = text});
  }

  std::vector<LookUp> lookups_;
  std::atomic<size_t> left_;
  HttpReply reply_;
};

}  // namespace

void ForEachRuleLine(const std::string& name, const Domain& domain,
                     absl::FunctionRef<void(const std::string&)> visit) {
  domain.ForEachRule([&name, visit](const CompiledRule& rule) {
    visit(RuleLine(name, rule));
  });
}

std::string RulesPage(const RuleBook& book) {
  std::string page;
  for (const auto& [name, domain] : Sorted(book)) {
    ForEachRuleLine(name, *domain, [&page](const std::string& line) {
      absl::StrAppend(&page, line, "\n");
    });
  }
  return page;
}

void RefreshTier(const RuleBook& book, absl::string_view domain,
                 absl::string_view user, HttpReply reply) {
  std::vector<Refreshing::LookUp> lookups;
  for (const auto& [name, found] : Sorted(book)) {
    const bool is_wanted = domain.empty() || domain == name;
    if (!is_wanted || found->tier_source() == nullptr) continue;
    lookups.push_back({.name = name, .domain = found});
  }
  if (lookups.empty()) {
    reply.Send({.status = 404,
                .type = kPlainText,
                .body = "no such domain has a tier source\n"});
    return;
  }
  const auto refreshing =
      std::make_shared<Refreshing>(std::move(lookups), std::move(reply));
  for (size_t i = 0; i < refreshing->lookups().size(); ++i) {
    refreshing->lookups()[i].domain->tier_source()->Refresh(
        user, [refreshing, i](const absl::StatusOr<std::string>& tier) {
          refreshing->OnAnswer(i, tier);
        });
  }
}

}  // namespace rls
