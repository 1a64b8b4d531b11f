#include "rules/domain.h"

#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "limit/reservation.h"
#include "rules/tiers.h"
#include "rules/tree.h"

namespace rls {
namespace {

class DomainImpl final : public Domain {
 public:
  absl::Status Compile(DomainSpec spec, Metrics& metrics,
                       TierSources* sources) {
    name_ = std::move(spec.name);
    accounting_ = spec.accounting;
    if (spec.tiers.has_value()) {
      OpenSource(*spec.tiers, metrics, sources);
      CompileUsage(spec.tiers->usage);
      tiers_.emplace(*std::move(spec.tiers), rules_);
    }
    CollectSecretKeys(spec.nodes);
    Statistics* const statistics = metrics.statistics();
    if (absl::Status compiled =
            tree_.Compile(std::move(spec.nodes), rules_, statistics, name_);
        !compiled.ok()) {
      return compiled;
    }
    for (CompiledRule& rule : rules_) {
      if (rule.unlimited) continue;
      rule.scope = CounterScope(name_, rule.policy);
      if (rule.counted == Counted::kTokens) rule.scope += "/tokens";
      if (statistics != nullptr && rule.statistics == nullptr) {
        rule.statistics = std::make_unique<RuleStatistics>(RuleStatistics{
            .hits = statistics->OfLimit({name_, rule.path}), .levels = {}});
      }
      rule.counters = {
          .ok = &HitCounter(metrics, rule, "ok"),
          .over_limit = &HitCounter(metrics, rule, "over_limit"),
          .shadowed = &HitCounter(metrics, rule, "shadow"),
      };
      if (rule.degrade == nullptr) continue;
      rule.counters.degraded = &HitCounter(metrics, rule, "degraded");
      if (rule.degrade->limit.has_value()) {
        rule.degrade_scope = absl::StrCat(
            CounterScope(name_, *rule.degrade->limit), "/degraded");
      }
    }
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }
  std::optional<Accounting> accounting() const override { return accounting_; }

  void Find(absl::Span<const Entry> entries, Match& match) const override {
    if (tiers_.has_value()) {
      tiers_->Find(entries, match);
    } else {
      match.needs_lookup = false;
      tree_.Find(entries, match);
    }
  }

  bool MarksSecret(absl::string_view key) const override {
    return secret_keys_.contains(key);
  }

  TierSource* tier_source() const override { return source_.get(); }
  const CompiledUsage* usage() const override {
    return usage_.has_value() ? &*usage_ : nullptr;
  }

  const CompiledRule* RuleOfTier(absl::string_view tier) const override {
    const CompiledRule* rule =
        tiers_.has_value() ? tiers_->RuleOfTier(tier) : nullptr;
    if (rule == nullptr && unknown_tier_ != nullptr) unknown_tier_->Add(1);
    return rule;
  }

  void ForEachRule(
      absl::FunctionRef<void(const CompiledRule&)> visit) const override {
    for (const CompiledRule& rule : rules_) visit(rule);
  }

 private:
  void CollectSecretKeys(const std::vector<RuleNode>& nodes) {
    for (const RuleNode& node : nodes) {
      if (node.secret.value_or(false)) secret_keys_.insert(node.key);
      CollectSecretKeys(node.children);
    }
  }

  void CompileUsage(const UsageSpec& spec) {
    const Policy reservation = ReservationPolicy(spec.reserve_ttl);
    usage_.emplace(
        CompiledUsage{spec, reservation, CounterScope(name_, reservation)});
  }

  void OpenSource(TierSpec& spec, Metrics& metrics, TierSources* sources) {
    if (sources == nullptr) spec.source.reset();
    if (!spec.source.has_value()) return;
    source_ = sources->Open(name_, *spec.source);
    unknown_tier_ = &metrics.GetCounter(
        {.name = "ratelimitd_tier_unknown_total",
         .help = "Decisions for users with a tier that the tier source "
                 "returns and the configuration does not contain",
         .labels = {{"domain", name_}}});
  }

  Counter& HitCounter(Metrics& metrics, const Rule& rule,
                      const std::string& result) const {
    return metrics.GetCounter(
        {.name = "ratelimitd_hits_total",
         .help = "Hits by rule and result",
         .labels = {
             {"domain", name_}, {"rule", rule.path}, {"result", result}}});
  }

  std::string name_;
  std::optional<Accounting> accounting_;
  absl::flat_hash_set<std::string> secret_keys_;
  std::deque<CompiledRule> rules_;  // a deque, because it never moves rules
  Tree tree_;
  std::optional<Tiers> tiers_;
  std::optional<CompiledUsage> usage_;
  std::shared_ptr<TierSource> source_;
  Counter* unknown_tier_ = nullptr;  // null if `source_` is null
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Domain>> CompileDomain(
    DomainSpec spec, Metrics& metrics, TierSources* sources) {
  auto domain = std::make_shared<DomainImpl>();
  if (absl::Status compiled =
          domain->Compile(std::move(spec), metrics, sources);
      !compiled.ok()) {
    return compiled;
  }
  return domain;
}

// Short, because every key in Redis contains the scope: "default/1m" for a
// fixed window. A slash in the domain is escaped, so that two domains never
// share a scope.
std::string CounterScope(absl::string_view domain, const Policy& policy) {
  const std::string shape = policy.calendar == Calendar::kNone
                                ? absl::FormatDuration(policy.window)
                                : absl::StrCat(CalendarWord(policy.calendar),
                                               "@", policy.zone.name());
  const bool is_default = policy.algorithm == Algorithm::kFixedWindow;
  return absl::StrCat(absl::StrReplaceAll(domain, {{"%", "%25"}, {"/", "%2F"}}),
                      "/", is_default ? "" : AlgorithmWord(policy.algorithm),
                      is_default ? "" : "/", shape);
}

}  // namespace rls
