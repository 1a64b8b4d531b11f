// SHADOW_MODE, QUOTA_MODE and the default accounting, and limit overrides.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

class LimiterModes : public LimiterTest {
 protected:
  static Descriptor Overridden(absl::string_view text, int64_t limit) {
    Descriptor descriptor = Of(text);
    descriptor.limit_override = Policy{.limit = limit};
    return descriptor;
  }
  double Shadowed() {
    return Total(&metrics_.GetCounter(
        {.name = "ratelimitd_global_shadow_mode_total", .help = ""}));
  }
};

TEST_F(LimiterModes, ShadowModeRefusesNothingAndKeepsTheCodes) {
  SetModes({.shadow = true});
  LoadNodes({Limited("a", 1), Limited("b", 9)});
  const Query both = Asking({Of("a=1"), Of("b=1"), Overridden("x=1", 1)});
  Check(both);
  EXPECT_EQ(Shadowed(), 0);
  const Answer over = Check(both);
  EXPECT_FALSE(over.over_limit);
  EXPECT_TRUE(over.statuses[0].over_limit);
  EXPECT_EQ(over.statuses[1].remaining, 7) << "the sibling was not charged";
  EXPECT_TRUE(over.statuses[2].over_limit);
  EXPECT_EQ(over.leading, 2);
  EXPECT_EQ(Shadowed(), 1);
}

TEST_F(LimiterModes, ShadowModeNeitherHoldsNorDegrades) {
  SetModes({.shadow = true});
  Rule queued{.path = "queued", .policy = {.limit = 1, .queue = true}};
  Rule cheaper{.path = "cheaper", .policy = {.limit = 1}};
  cheaper.degrade = std::make_shared<DegradeRule>();
  DomainSpec spec;
  spec.tiers = TierSpec{.identity = {{"user_id", ""}},
                        .tiers = {queued, cheaper},
                        .assignments = {{"q", 0}, {"d", 1}},
                        .default_rule = {.path = "default"}};
  Load(std::move(spec));
  for (const char* user : {"user_id=q", "user_id=d"}) {
    Check(user);
    const Answer second = Check(user);
    EXPECT_FALSE(second.over_limit) << user;
    EXPECT_TRUE(second.only().over_limit) << user;
    EXPECT_FALSE(second.only().degraded) << user;
  }
}

TEST_F(LimiterModes, ShadowModeChargesTokensAndRequestsOfOneTier) {
  SetModes({.shadow = true});
  Rule tier{.path = "tier", .policy = {.limit = 9}};
  tier.more.push_back(
      {.path = "tokens", .policy = {.limit = 10}, .counted = Counted::kTokens});
  DomainSpec spec;
  spec.tiers = TierSpec{.identity = {{"user_id", ""}}, .default_rule = tier};
  Load(std::move(spec));
  Check("user_id=a,tokens=10");
  EXPECT_TRUE(Check("user_id=a,tokens=10").only().over_limit);
  Check("user_id=a,tokens=10");
  EXPECT_EQ(Total(RuleAt("tier").counters.ok), 3) << "requests";
  EXPECT_EQ(Total(RuleAt("tokens").counters.over_limit), 20);
}

// A request whose tokens are not known yet only probes the limit of tokens.
TEST_F(LimiterModes, ShadowModeChargesRequestsWhoseTokensAreUsedUp) {
  SetModes({.shadow = true});
  Rule tier{.path = "tier", .policy = {.limit = 9}};
  tier.more.push_back(
      {.path = "tokens", .policy = {.limit = 10}, .counted = Counted::kTokens});
  DomainSpec spec;
  spec.tiers = TierSpec{.identity = {{"user_id", ""}}, .default_rule = tier};
  Load(std::move(spec));
  EXPECT_FALSE(Check("user_id=a").only().over_limit);
  Check("user_id=a,tokens=10");
  const Answer over = Check("user_id=a");
  EXPECT_FALSE(over.over_limit);
  EXPECT_TRUE(over.only().over_limit);
  EXPECT_EQ(over.only().rule->path, "tokens");
  EXPECT_EQ(Total(RuleAt("tier").counters.ok), 3) << "requests";
}

struct QuotaCase {
  const char* descriptors;  // separated by spaces
  bool over_limit;
};

TEST_F(LimiterModes, QuotaModeRefusesOnlyIfAllDescriptorsAreOver) {
  SetModes({.quota = true});
  RuleNode unlimited = Limited("u", 0);
  unlimited.rule->unlimited = true;
  LoadNodes({Limited("a", 0), Limited("b", 0), Limited("c", 9), unlimited});
  for (const QuotaCase& one : std::vector<QuotaCase>{
           {"a=1", true},
           {"a=1 b=1", true},
           {"a=1 c=1", false},
           {"c=1", false},
           {"a=1 unmatched=1", false},  // never over
           {"unmatched=1", false},
           {"a=1 u=1", true},  // unlimited descriptors do not count
           {"u=1", false},
       }) {
    std::vector<Descriptor> descriptors;
    for (const absl::string_view text : absl::StrSplit(one.descriptors, ' ')) {
      descriptors.push_back(Of(text));
    }
    const Answer answer = Check(Asking(descriptors));
    EXPECT_EQ(answer.over_limit, one.over_limit) << one.descriptors;
    if (std::string(one.descriptors).front() == 'a') {
      EXPECT_TRUE(answer.statuses[0].over_limit) << one.descriptors;
    }
  }
}

// A leaf without a rule says nothing about the quotas beside it.
TEST_F(LimiterModes, WithoutQuotaModeAnUnmatchedDescriptorIsNoQuota) {
  RuleNode quota = Limited("q", 0);
  quota.rule->quota = true;
  LoadNodes({quota});
  EXPECT_TRUE(Check(Asking({Of("q=1"), Of("unmatched=1")})).over_limit);
}

TEST_F(LimiterModes, QuotaModeHoldsForOverridesAndChargesTheOthers) {
  SetModes({.quota = true});
  LoadNodes({Limited("c", 9)});
  const Query query = Asking({Overridden("x=1", 0), Of("c=1")});
  Check(query);
  const Answer second = Check(query);
  EXPECT_FALSE(second.over_limit);
  EXPECT_TRUE(second.statuses[0].over_limit);
  EXPECT_EQ(second.statuses[1].remaining, 7);
}

TEST_F(LimiterModes, TheDefaultAccountingIsOfDomainsThatStateNone) {
  SetModes({.default_accounting = Accounting::kIndependent});
  const auto remaining_after_refusal =
      [this](std::optional<Accounting> accounting) {
        DomainSpec spec;
        spec.accounting = accounting;
        spec.nodes = {Limited("a", 0), Limited("b", 9)};
        Load(std::move(spec));
        clock_.Advance(absl::Minutes(1));
        EXPECT_TRUE(Check(Asking({Of("a=1"), Of("b=1")})).over_limit);
        return Remaining("b=1");
      };
  EXPECT_EQ(remaining_after_refusal(std::nullopt), 8);
  EXPECT_EQ(remaining_after_refusal(Accounting::kIndependent), 8);
  EXPECT_EQ(remaining_after_refusal(Accounting::kAllOrNothing), 9);
}

TEST_F(LimiterModes, AnOverrideNeedsOnlyAKnownDomain) {
  LoadNodes({});
  for (const char* descriptor : {"", "no=rule"}) {
    const Query query = Asking({Overridden(descriptor, 1)});
    EXPECT_EQ(Check(query).only().policy->limit, 1) << descriptor;
    EXPECT_TRUE(Check(query).over_limit) << descriptor;
  }
  Query unknown = Asking({Overridden("", 0)});
  unknown.domain = "unknown";
  const Answer answer = Check(unknown);
  EXPECT_FALSE(answer.over_limit);
  EXPECT_EQ(answer.only().policy, nullptr);
}

TEST_F(LimiterModes, AnOverrideNeitherReplacesNorIsReplaced) {
  RuleNode rule = Limited("a", 5);
  rule.rule->name = "a";
  rule.rule->replaces = {"b"};
  LoadNodes({rule});
  const Query query = Asking({Of("a=1"), Overridden("a=1", 3)});
  const Answer answer = Check(query);  // refers to the query
  EXPECT_EQ(answer.statuses[0].remaining, 4);
  EXPECT_EQ(answer.statuses[1].policy->limit, 3);
}

}  // namespace
}  // namespace rls
