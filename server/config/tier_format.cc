#include "config/tier_format.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/degrade_format.h"
#include "config/identity_format.h"
#include "config/limit_format.h"
#include "config/tier_source_format.h"
#include "config/usage_format.h"
#include "config/yaml_map.h"

namespace rls {
namespace {

class TierFormat {
 public:
  // `top` is the top-level map of the file.
  TierFormat(const YamlMap& top, LoadedFile& file)
      : reader_(top.reader()),
        top_(top),
        domain_(file.domain.emplace()),
        file_(file) {}

  void Read(const YamlNode& node) {
    const YamlMap map(
        reader_, node, "rate_limit",
        WithTierSourceKeys({"enabled", "domain", "accounting", "identity",
                            "default_rps", "user_tiers", "user_assignments",
                            "enforce", "queue", "degrade", "degrade_to",
                            "on_backend_error", "anonymous", "exempt",
                            "usage"}));
    bool enabled = true;
    map.Read("enabled", enabled);
    domain_.name = "default";
    map.ReadName("domain", domain_.name);
    file_.domain_name = domain_.name;
    // Tiers do not follow RATELIMIT_ACCOUNTING: queues and reservations need
    // all or nothing.
    ReadAccounting(map, domain_.accounting.emplace(Accounting::kAllOrNothing));
    ReadOnBackendError(map, tiers_.default_rule.on_backend_error);
    ReadEnforce(map);
    ReadIdentity(map, tiers_.identity, tiers_.shown_users);
    ReadDefault(map);
    ReadTiers(map);
    ReadAssignments(map);
    ReadTierSource(top_, map, tiers_.source);
    ReadAnonymous(map, tiers_.anonymous);
    if (tiers_.anonymous.has_value()) {
      CheckReserve(*map.Find("anonymous"), tiers_.anonymous->rule);
    }
    ReadUsage(map, tiers_.usage);
    ReadExempt(map, tiers_.exempt);
    domain_.tiers = std::move(tiers_);
    file_.tiers = std::move(summary_);
    if (!enabled) file_.domain.reset();
  }

 private:
  void ReadEnforce(const YamlMap& map) {
    ReadQueue(map, queue_);
    const YamlNode* node = map.Find("enforce");
    if (node == nullptr) return;
    const auto word =
        reader_.Word(*node, "enforce", {"reject", "queue", "degrade"});
    if (!word.has_value()) return;
    if (*word == 2) degrade_.emplace(map, ReadModels(top_));
    queues_ = *word == 1;
    if (queues_ && domain_.accounting == Accounting::kIndependent) {
      reader_.Fail(
          *node,
          "enforce: queue cannot be combined with accounting: independent");
    }
  }

  void ReadDefault(const YamlMap& map) {
    Rule& rule = tiers_.default_rule;
    rule.path = "default";
    if (map.ReadInteger("default_rps", 0, kMaxRps, rule.policy.limit) ==
            nullptr &&
        map.node().IsMap()) {
      reader_.Fail(map.node(),
                   "rate_limit: found no default_rps, expected the requests "
                   "per minute of users without a tier");
    }
    rule.message = TierMessage("default", rule);
    if (degrade_.has_value()) rule.degrade = degrade_->Default();
    if (queues_) MakeQueue(map, queue_, rule);
  }

  void ReadTiers(const YamlMap& map) {
    const YamlNode* node = map.Find("user_tiers");
    if (node == nullptr) return;
    if (!node->IsMap()) {
      reader_.Unexpected(*node, "user_tiers", "a map of tiers by name");
      return;
    }
    if (node->size() > kMaxTiers) {
      reader_.Fail(*node,
                   absl::StrCat("user_tiers: more than ", kMaxTiers, " tiers"));
      return;
    }
    for (const auto& entry : node->Entries()) {
      const auto name = reader_.Name(entry.first, "the name of a tier");
      if (!name.has_value()) continue;
      if (TierNamed(*name).has_value()) {
        reader_.Fail(entry.first,
                     absl::StrCat("tier ", Quoted(*name), " occurs twice"));
      }
      ReadTier(*name, entry.first, entry.second);
      summary_.tiers.push_back(*name);
    }
  }

  void ReadTier(const std::string& name, const YamlNode& key,
                const YamlNode& node) {
    Rule& rule = tiers_.tiers.emplace_back();
    rule.path = absl::StrCat("tier ", name);
    rule.tier = name;
    rule.on_backend_error = tiers_.default_rule.on_backend_error;
    if (node.IsNull()) {
      reader_.Fail(key, absl::StrCat("tier ", Quoted(name),
                                     ": found nothing, expected a map"));
      return;
    }
    const YamlMap map(reader_, node, absl::StrCat("tier ", Quoted(name)),
                      WithLimitsKeys({"degrade_to"}));
    if (degrade_.has_value()) rule.degrade = degrade_->OfTier(map);
    // A limit of tokens does not queue: a request states its tokens only after
    // the response, so the slot in which it fits is unknown.
    ReadLimits(map, absl::StrCat(name, " tier"), rule,
               [this](const YamlMap& limit, Rule& one) {
                 if (queues_ && one.counted == Counted::kRequests) {
                   MakeQueue(limit, queue_, one);
                 }
               });
    CheckReserve(node, rule);
    if (map.Find("limits") != nullptr) {
      summary_.limits.emplace_back(name, LimitsText(rule));
    }
  }

  void CheckReserve(const YamlNode& where, const Rule& rule) {
    const auto reserves = [](const Rule& one) { return one.reserves; };
    if (!reserves(rule) &&
        std::none_of(rule.more.begin(), rule.more.end(), reserves)) {
      return;
    }
    // With independent accounting, a request that one limit refuses would still
    // reserve tokens. With a queue, a held request could not be distinguished
    // from a request that is decided again.
    if (domain_.accounting == Accounting::kIndependent) {
      reader_.Fail(where,
                   "reserve cannot be combined with accounting: independent");
    }
    if (queues_)
      reader_.Fail(where, "reserve cannot be combined with enforce: queue");
  }

  void ReadAssignments(const YamlMap& map) {
    const YamlNode* node = map.Find("user_assignments");
    if (node == nullptr) return;
    if (!node->IsMap()) {
      reader_.Unexpected(*node, "user_assignments", "a map of users");
      return;
    }
    for (const auto& entry : node->Entries()) {
      if (reader_.IsDone()) return;
      const auto user = reader_.Text(entry.first, "a user");
      if (user.has_value()) ReadAssignment(*user, entry.first, entry.second);
    }
  }

  void ReadAssignment(const std::string& user, const YamlNode& key,
                      const YamlNode& node) {
    std::string tier;
    if (node.IsNull()) {
      reader_.Fail(key, absl::StrCat("user ", Quoted(user),
                                     ": found nothing, expected a tier"));
    } else if (node.IsScalar()) {
      tier = reader_.Name(node, "tier").value_or("");
    } else {
      const YamlMap map(reader_, node, "a user's assignment", {"tier"});
      if (node.IsMap() && map.ReadName("tier", tier) == nullptr) {
        reader_.Fail(node, "a user's assignment: found no tier");
      }
    }
    if (tier.empty()) return;
    const std::optional<size_t> index = TierNamed(tier);
    if (!index.has_value()) {
      FailUnknownTier(node, tier);
      return;
    }
    const auto hash = HashOfUser(reader_, key, user);
    auto& assignments =
        hash.has_value() ? tiers_.hashed_assignments : tiers_.assignments;
    if (!assignments.emplace(hash.value_or(user), *index).second) {
      reader_.Fail(key, absl::StrCat("user ", Quoted(user), " occurs twice"));
    } else {
      ++summary_.assigned;
      if (summary_.assignments.size() <= TierSummary::kShown) {
        summary_.assignments.emplace_back(user, tier);
      }
    }
  }

  void FailUnknownTier(const YamlNode& node, const std::string& tier) {
    const std::vector<absl::string_view> names(summary_.tiers.begin(),
                                               summary_.tiers.end());
    reader_.Fail(node,
                 absl::StrCat("tier ", Quoted(tier), " is not in user_tiers",
                              DidYouMean(tier, names)));
  }

  std::optional<size_t> TierNamed(absl::string_view name) const {
    for (size_t i = 0; i < tiers_.tiers.size(); ++i) {
      if (tiers_.tiers[i].tier == name) return i;
    }
    return std::nullopt;
  }

  YamlReader& reader_;
  const YamlMap& top_;
  DomainSpec& domain_;
  LoadedFile& file_;
  bool queues_ = false;
  QueueRule queue_;
  std::optional<DegradeFormat> degrade_;
  TierSpec tiers_;
  TierSummary summary_;
};

}  // namespace

void ReadTierFormat(YamlReader& reader, const YamlNode& root,
                    LoadedFile& file) {
  const YamlMap map(
      reader, root, "the file",
      WithTierSourceKeys({"rate_limit", "providers", "models", "redis"}));
  if (const YamlNode* node = map.Find("rate_limit")) {
    TierFormat(map, file).Read(*node);
  } else {
    // Report the line of the key, because an empty value has the position of
    // the next token.
    for (const auto& entry : root.Entries()) {
      if (entry.first.IsScalar() && entry.first.Scalar() == "rate_limit") {
        reader.Fail(entry.first, "rate_limit: found nothing, expected a map");
      }
    }
  }
}

}  // namespace rls
