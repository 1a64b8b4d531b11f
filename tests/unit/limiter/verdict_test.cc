#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

class LimiterTiers : public LimiterTest {
 protected:
  static Rule Tier(const std::string& name, int64_t limit, int64_t burst) {
    return {.path = "tier " + name,
            .policy = {.limit = limit, .burst = burst},
            .tier = name};
  }

  // The configuration of the recipe (docs/TIERS.md).
  void SetUp() override {
    DomainSpec spec;
    spec.tiers = TierSpec{
        .identity = {{"user_id", ""}, {"authorization", "Bearer "}},
        .tiers = {Tier("free", 5, 2), Tier("pro", 50, 10),
                  Tier("enterprise", 500, 100)},
        .assignments = {{"user-123", 0}, {"user-456", 1}, {"user-789", 2}},
        .default_rule = {.path = "default", .policy = {.limit = 10}}};
    Load(std::move(spec));
  }

  int Passed(absl::string_view descriptor, int requests) {
    int passed = 0;
    for (int i = 0; i < requests; ++i) {
      passed += Check(descriptor).over_limit ? 0 : 1;
    }
    return passed;
  }
};

TEST_F(LimiterTiers, SixthRequestOfTheFreeUserIsRefused) {
  EXPECT_EQ(Passed("user_id=user-123", 5), 5);
  const Answer sixth = Check("user_id=user-123");
  EXPECT_TRUE(sixth.over_limit);
  EXPECT_EQ(sixth.only().rule->tier, "free");
  EXPECT_EQ(sixth.only().policy->limit, 5);
  EXPECT_EQ(sixth.only().remaining, 0);
  EXPECT_EQ(sixth.only().reset, absl::Minutes(1));
}

TEST_F(LimiterTiers, AFreeUserWhoWasIdleForAMinuteMaySendSeven) {
  Check("user_id=user-123");
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Passed("user_id=user-123", 50), 7);
}

TEST_F(LimiterTiers, UsersDoNotStarveEachOther) {
  EXPECT_EQ(Passed("user_id=user-123", 50), 5);
  EXPECT_EQ(Passed("user_id=user-456", 60), 50);
  EXPECT_EQ(Passed("user_id=user-789", 600), 500);
}

TEST_F(LimiterTiers, EachUnlistedUserGetsTheDefault) {
  EXPECT_EQ(Passed("user_id=someone", 20), 10);
  EXPECT_EQ(Passed("user_id=someone-else", 20), 10);
}

TEST_F(LimiterTiers, AUserIsTheSameByAnyWayItIsNamed) {
  EXPECT_EQ(Passed("authorization=bearer user-123", 3), 3);
  EXPECT_EQ(Passed("model=gpt-4,user_id=user-123", 9), 2);
}

class LimiterKinds : public LimiterTest {
 protected:
  static RuleNode Shadow(const std::string& key, int64_t limit) {
    RuleNode node = Limited(key, limit);
    node.rule->shadow = true;
    return node;
  }
  static RuleNode Quota(const std::string& key, int64_t limit) {
    RuleNode node = Limited(key, limit);
    node.rule->quota = true;
    return node;
  }
};

TEST_F(LimiterKinds, AShadowRuleIsJudgedButNeverDenies) {
  LoadNodes({Shadow("s", 1), Limited("a", 9)});
  EXPECT_EQ(Check("s=1").only().remaining, 0);
  const Answer over = Check(Asking({Of("s=1"), Of("a=1")}));
  EXPECT_FALSE(over.over_limit);
  EXPECT_FALSE(over.statuses[0].over_limit);
  EXPECT_EQ(over.statuses[0].remaining, 0);
  EXPECT_EQ(over.statuses[1].remaining, 8) << "the sibling was not charged";
}

TEST_F(LimiterKinds, AQuotaRuleDeniesOnlyWhenAllQuotaRulesDo) {
  LoadNodes({Quota("p", 1), Quota("q", 2), Limited("a", 9)});
  const Query both = Asking({Of("p=1"), Of("q=1"), Of("a=1")});
  EXPECT_FALSE(Check(both).over_limit);
  const Answer one_over = Check(both);
  EXPECT_FALSE(one_over.over_limit);
  EXPECT_TRUE(one_over.statuses[0].over_limit);
  EXPECT_FALSE(one_over.statuses[1].over_limit);
  EXPECT_EQ(one_over.statuses[2].remaining, 7);
  const Answer all_over = Check(both);
  EXPECT_TRUE(all_over.over_limit);
  EXPECT_FALSE(all_over.statuses[2].over_limit);
}

TEST_F(LimiterKinds, AnotherRuleDeniesWhateverTheQuotaRulesDecide) {
  LoadNodes({Quota("q", 5), Limited("a", 0)});
  const Answer answer = Check(Asking({Of("q=1"), Of("a=1")}));
  EXPECT_TRUE(answer.over_limit);
  EXPECT_FALSE(answer.statuses[0].over_limit);
}

class LimiterAccounting : public LimiterTest {
 protected:
  void LoadWith(Accounting accounting) {
    DomainSpec spec;
    spec.accounting = accounting;
    spec.nodes = {Limited("a", 1), Limited("b", 10)};
    Load(std::move(spec));
  }
};

TEST_F(LimiterAccounting, ADeniedRequestConsumesNothing) {
  LoadWith(Accounting::kAllOrNothing);
  const Query both = Asking({Of("a=1"), Of("b=1")});
  EXPECT_FALSE(Check(both).over_limit);
  for (int i = 0; i < 3; ++i) {
    const Answer denied = Check(both);
    EXPECT_TRUE(denied.over_limit);
    EXPECT_TRUE(denied.statuses[0].over_limit);
    EXPECT_FALSE(denied.statuses[1].over_limit);
    EXPECT_EQ(denied.statuses[1].remaining, 9);
  }
}

TEST_F(LimiterAccounting, IndependentDescriptorsAreChargedOnTheirOwn) {
  LoadWith(Accounting::kIndependent);
  const Query both = Asking({Of("a=1"), Of("b=1")});
  Check(both);
  EXPECT_EQ(Check(both).statuses[1].remaining, 8);
  EXPECT_EQ(Check(both).statuses[1].remaining, 7);
}

class LimiterCounters : public LimiterTest {
 protected:
  Answer Hit(std::vector<Descriptor> descriptors, uint32_t hits) {
    Query query = Asking(std::move(descriptors));
    query.hits = hits;
    return Check(query);
  }
};

TEST_F(LimiterCounters, HitsAreCountedByTheirResult) {
  LoadNodes({Limited("a", 5)});
  Hit({Of("a=1")}, 3);
  Hit({Of("a=1")}, 4);
  Hit({Of("a=1")}, 2);
  Hit({Of("unmatched=1")}, 9);
  const RuleCounters& counters = RuleAt("a").counters;
  EXPECT_EQ(Total(counters.ok), 5);
  EXPECT_EQ(Total(counters.over_limit), 4);
  EXPECT_EQ(Total(counters.shadowed), 0);
}

TEST_F(LimiterCounters, LooksAndRefundsAreNotCounted) {
  LoadNodes({Limited("a", 5)});
  Descriptor descriptor = Of("a=1");
  descriptor.hits = 0;
  Check(Asking({descriptor}));
  descriptor.hits = 3;
  descriptor.is_negative_hits = true;
  Check(Asking({descriptor}));
  EXPECT_EQ(Total(RuleAt("a").counters.ok), 0);
  EXPECT_EQ(Total(RuleAt("a").counters.over_limit), 0);
}

TEST_F(LimiterCounters, HitsThatShadowModeLetPassAreCountedApart) {
  RuleNode node = Limited("a", 2);
  node.rule->shadow = true;
  LoadNodes({node});
  Hit({Of("a=1")}, 2);
  Hit({Of("a=1")}, 3);
  EXPECT_EQ(Total(RuleAt("a").counters.shadowed), 3);
  EXPECT_EQ(Total(RuleAt("a").counters.over_limit), 0);
}

TEST_F(LimiterCounters, ADeniedRequestHasNoAllowedHits) {
  LoadNodes({Limited("a", 0), Limited("b", 10)});
  Hit({Of("a=1"), Of("b=1")}, 2);
  EXPECT_EQ(Total(RuleAt("a").counters.over_limit), 2);
  EXPECT_EQ(Total(RuleAt("b").counters.ok), 0);
  EXPECT_EQ(Total(RuleAt("b").counters.over_limit), 0);
}

}  // namespace
}  // namespace rls
