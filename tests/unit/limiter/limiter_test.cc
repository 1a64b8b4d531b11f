#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

TEST_F(LimiterTest, FailsWhileNoConfigurationIsLoaded) {
  EXPECT_EQ(Check("a=1").status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_.takes, 0);
}

TEST_F(LimiterTest, AnUnknownDomainPassesAndIgnoresAnOverride) {
  LoadNodes({Limited("a", 0)});
  Query query = Asking({Of("a=1"), Of("b=2")});
  query.domain = "elsewhere";
  query.descriptors[1].limit_override = Policy{.limit = 0};
  const Answer answer = Check(query);
  ASSERT_TRUE(answer.status.ok());
  EXPECT_FALSE(answer.over_limit);
  EXPECT_EQ(answer.leading, -1);
  for (const LimitStatus& status : answer.statuses) {
    EXPECT_FALSE(status.over_limit);
    EXPECT_EQ(status.policy, nullptr);
  }
  EXPECT_EQ(store_.takes, 0);
}

TEST_F(LimiterTest, ARequestThatMatchesNoRulePassesWithoutALimit) {
  LoadNodes({Limited("a", 0)});
  const Answer answer = Check(Asking({Of("b=1"), Of("a=1,b=2"), Of("")}));
  EXPECT_FALSE(answer.over_limit);
  EXPECT_EQ(answer.leading, -1);
  for (const LimitStatus& status : answer.statuses) {
    EXPECT_EQ(status.policy, nullptr);
    EXPECT_FALSE(status.unlimited);
  }
  EXPECT_EQ(store_.takes, 0);
}

TEST_F(LimiterTest, StatusesComeInTheOrderOfTheDescriptors) {
  LoadNodes({Limited("a", 10), Limited("b", 20), Limited("c", 30)});
  const Answer answer =
      Check(Asking({Of("c=1"), Of("x=1"), Of("a=1"), Of("b=1")}));
  ASSERT_EQ(answer.statuses.size(), 4u);
  EXPECT_EQ(answer.statuses[0].remaining, 29);
  EXPECT_EQ(answer.statuses[1].policy, nullptr);
  EXPECT_EQ(answer.statuses[2].remaining, 9);
  EXPECT_EQ(answer.statuses[3].remaining, 19);
  EXPECT_EQ(answer.statuses[0].rule, &RuleAt("c"));
  EXPECT_EQ(answer.statuses[0].reset, absl::Minutes(1));
  EXPECT_EQ(answer.leading, 2);
}

TEST_F(LimiterTest, TheSameDescriptorTwiceIsChargedTwice) {
  LoadNodes({Limited("a", 3)});
  const Answer answer = Check(Asking({Of("a=1"), Of("a=1")}));
  EXPECT_EQ(answer.statuses[0].remaining, 2);
  EXPECT_EQ(answer.statuses[1].remaining, 1);
}

TEST_F(LimiterTest, EachValueHasItsOwnCounter) {
  LoadNodes({Limited("a", 1)});
  EXPECT_FALSE(Check("a=1").over_limit);
  EXPECT_TRUE(Check("a=1").over_limit);
  EXPECT_FALSE(Check("a=2").over_limit);
}

TEST_F(LimiterTest, AReloadedLimitKeepsItsCounter) {
  LoadNodes({Limited("a", 2)});
  Check("a=1");
  LoadNodes({Limited("a", 5)});
  EXPECT_EQ(Check("a=1").only().remaining, 3);
}

class LimiterHits : public LimiterTest {
 protected:
  void SetUp() override { LoadNodes({Limited("a", 10)}); }

  static Query Hits(uint32_t of_request, std::optional<uint64_t> hits) {
    Query query = Asking({Of("a=1")});
    query.hits = of_request;
    query.descriptors[0].hits = hits;
    return query;
  }
};

TEST_F(LimiterHits, ARequestWithoutHitsHasOne) {
  EXPECT_EQ(Check(Hits(0, {})).only().remaining, 9);
  EXPECT_EQ(Check(Hits(4, {})).only().remaining, 5);
}

TEST_F(LimiterHits, HitsOfTheDescriptorCome) {
  EXPECT_EQ(Check(Hits(4, 3)).only().remaining, 7);
}

TEST_F(LimiterHits, ZeroInADescriptorIsALook) {
  Check(Hits(0, 10));
  const Answer look = Check(Hits(7, 0));
  EXPECT_FALSE(look.over_limit);
  EXPECT_EQ(look.only().remaining, 0);
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Check(Hits(7, 0)).only().remaining, 10);
}

TEST_F(LimiterHits, NegativeOnesRefundAndNeverGoBelowZero) {
  Check(Hits(0, 6));
  Query refund = Hits(0, 2);
  refund.descriptors[0].is_negative_hits = true;
  EXPECT_EQ(Check(refund).only().remaining, 6);
  refund.descriptors[0].hits = UINT64_MAX;
  EXPECT_EQ(Check(refund).only().remaining, 10);
  EXPECT_FALSE(Check(refund).over_limit);
  EXPECT_EQ(Remaining("a=1"), 10);
}

TEST_F(LimiterHits, MoreThanCanBeCountedAreRefusedAndCostNothing) {
  for (const uint64_t hits : {UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63,
                              (uint64_t{1} << 63) - 1, uint64_t{1} << 53}) {
    const Answer answer = Check(Hits(0, hits));
    EXPECT_TRUE(answer.over_limit) << hits;
    EXPECT_TRUE(answer.only().never_fits);
    EXPECT_EQ(answer.only().reset, absl::Minutes(1));
    EXPECT_EQ(Remaining("a=1"), 10);
  }
}

// A limit whose rule charges a stated cost: the default of descriptor files.
class LimiterStatedHits : public LimiterHits {
 protected:
  void SetUp() override { LoadWith(10); }

  void LoadWith(int64_t limit, bool shadow = false) {
    RuleNode node = Limited("a", limit);
    node.rule->stated_hits = StatedHits::kCharge;
    node.rule->shadow = shadow;
    LoadNodes({node, Limited("b", 10)});
  }
};

TEST_F(LimiterStatedHits, AreChargedPastTheLimitAndTheNextLookIsRefused) {
  LoadWith(1000);
  EXPECT_TRUE(Check(Hits(0, 1500)).over_limit);
  EXPECT_TRUE(Check(Hits(0, 0)).over_limit);
  EXPECT_TRUE(Check(Hits(0, {})).over_limit);
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Check(Hits(0, 0)).only().remaining, 1000);
}

TEST_F(LimiterStatedHits, LetTwoLooksPassIfEachCosts7Of10) {
  int passed = 0;
  for (int i = 0; i < 5; ++i) {
    if (Check(Hits(0, 0)).over_limit) continue;
    ++passed;
    Check(Hits(0, 7));
  }
  EXPECT_EQ(passed, 2);
}

TEST_F(LimiterStatedHits, OfTheRequestStayAllOrNothing) {
  EXPECT_TRUE(Check(Hits(11, {})).over_limit);
  EXPECT_EQ(Remaining("a=1"), 10);
}

TEST_F(LimiterStatedHits, PastTheLimitDenyTheOtherDescriptors) {
  Query query = Asking({Of("a=1"), Of("b=1")});
  query.descriptors[0].hits = 11;
  EXPECT_TRUE(Check(query).over_limit);
  EXPECT_EQ(Remaining("b=1"), 10);
}

TEST_F(LimiterStatedHits, AreChargedEvenIfAnotherDescriptorIsRefused) {
  Query query = Asking({Of("a=1"), Of("b=1")});
  query.hits = 11;  // of b
  query.descriptors[0].hits = 4;
  EXPECT_TRUE(Check(query).over_limit);
  EXPECT_EQ(Remaining("a=1"), 6);
  EXPECT_EQ(Remaining("b=1"), 10);
}

TEST_F(LimiterStatedHits, OfAShadowRuleAreChargedAndNeverRefused) {
  LoadWith(10, /*shadow=*/true);
  EXPECT_FALSE(Check(Hits(0, 15)).over_limit);
  EXPECT_FALSE(Check(Hits(0, 0)).over_limit);
  EXPECT_EQ(Total(RuleAt("a").counters.shadowed), 15);
}

class LimiterOverride : public LimiterTest {
 protected:
  static Descriptor Overriding(absl::string_view text, int64_t limit) {
    Descriptor descriptor = Of(text);
    descriptor.limit_override = Policy{.limit = limit};
    return descriptor;
  }
};

TEST_F(LimiterOverride, IsUsedInsteadOfAnyRule) {
  LoadNodes({Limited("a", 100)});
  const Query query = Asking({Overriding("a=1", 1)});
  const Answer first = Check(query);
  EXPECT_FALSE(first.over_limit);
  EXPECT_EQ(first.only().rule, nullptr);
  ASSERT_EQ(first.only().policy, &*query.descriptors[0].limit_override);
  EXPECT_TRUE(Check(query).over_limit);
}

TEST_F(LimiterOverride, NeedsNeitherARuleNorEntries) {
  LoadNodes({});
  for (const char* text : {"", "unknown=1"}) {
    EXPECT_FALSE(Check(Asking({Overriding(text, 1)})).over_limit) << text;
    EXPECT_TRUE(Check(Asking({Overriding(text, 1)})).over_limit) << text;
  }
}

TEST_F(LimiterOverride, SharesTheCountOfARuleWithTheSameWindow) {
  LoadNodes({Limited("a", 10)});
  Check("a=1");
  EXPECT_EQ(Check(Asking({Overriding("a=1", 5)})).only().remaining, 3);
  EXPECT_EQ(Check("a=1").only().remaining, 7);
}

TEST_F(LimiterOverride, OfAnotherWindowHasACounterOfItsOwn) {
  LoadNodes({Limited("a", 10)});
  Check("a=1");
  Descriptor hourly = Overriding("a=1", 5);
  hourly.limit_override->window = absl::Hours(1);
  EXPECT_EQ(Check(Asking({hourly})).only().remaining, 4);
  EXPECT_EQ(Remaining("a=1"), 9);
}

TEST_F(LimiterOverride, DropsShadowQuotaAndReplaces) {
  RuleNode node = Limited("a", 100);
  node.rule->shadow = true;
  node.rule->quota = true;
  node.rule->replaces = {"other"};
  RuleNode other = Limited("b", 100);
  other.rule->name = "other";
  LoadNodes({node, other});
  const Answer answer =
      Check(Asking({Overriding("a=1", 0), Of("b=1"), Overriding("b=2", 9)}));
  EXPECT_TRUE(answer.over_limit);
  EXPECT_TRUE(answer.statuses[0].over_limit);
  EXPECT_NE(answer.statuses[1].policy, nullptr);
  EXPECT_NE(answer.statuses[2].policy, nullptr);
}

class LimiterReplaces : public LimiterTest {
 protected:
  static RuleNode Named(const std::string& name,
                        std::vector<std::string> replaces) {
    RuleNode node = Limited(name, 5);
    node.rule->name = name;
    node.rule->replaces = std::move(replaces);
    return node;
  }
  // Which of the descriptors a=1, b=1 and so on have a limit.
  std::string Limits(const std::vector<const char*>& texts) {
    std::vector<Descriptor> descriptors;
    for (const char* text : texts) descriptors.push_back(Of(text));
    const Answer answer = Check(Asking(descriptors));
    std::string limits;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (answer.statuses[i].policy != nullptr) limits += texts[i][0];
    }
    return limits;
  }
};

TEST_F(LimiterReplaces, TheReplacedLimitIsDroppedInAnyOrder) {
  LoadNodes({Named("a", {}), Named("b", {"a"})});
  EXPECT_EQ(Limits({"a=1", "b=1"}), "b");
  EXPECT_EQ(Limits({"b=1", "a=1"}), "b");
  EXPECT_EQ(Remaining("a=1"), 5) << "a dropped limit was charged";
  EXPECT_EQ(Limits({"a=1"}), "a");
}

TEST_F(LimiterReplaces, MutualReplacementDropsBoth) {
  LoadNodes({Named("a", {"b"}), Named("b", {"a"})});
  EXPECT_EQ(Limits({"a=1", "b=1"}), "");
}

TEST_F(LimiterReplaces, ADroppedLimitStillDropsOthers) {
  LoadNodes({Named("a", {}), Named("b", {"a"}), Named("c", {"b"})});
  EXPECT_EQ(Limits({"a=1", "b=1", "c=1"}), "c");
}

TEST_F(LimiterReplaces, UnlimitedRulesReplaceAndStayUnlimited) {
  RuleNode free = Named("f", {"a"});
  free.rule->unlimited = true;
  LoadNodes({Named("a", {}), Named("b", {"f"}), free});
  EXPECT_EQ(Limits({"a=1", "f=1"}), "");
  const Answer answer = Check(Asking({Of("f=1"), Of("b=1")}));
  EXPECT_TRUE(answer.statuses[0].unlimited);
}

TEST_F(LimiterTest, AnUnlimitedRuleIsNotCounted) {
  RuleNode node = Limited("a", 0);
  node.rule->unlimited = true;
  LoadNodes({node});
  const Answer answer = Check("a=1");
  EXPECT_FALSE(answer.over_limit);
  EXPECT_TRUE(answer.only().unlimited);
  EXPECT_EQ(answer.only().policy, nullptr);
  EXPECT_EQ(answer.leading, -1);
  EXPECT_EQ(store_.takes, 0);
}

}  // namespace
}  // namespace rls
