// Requests over a limit that pass on a cheaper model.

#include <memory>
#include <string>

#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

class LimiterDegradeTest : public LimiterTest {
 protected:
  struct Degraded {
    Answer answer;
    bool degraded = false;
    std::string model;
  };

  LimiterDegradeTest() { LoadTier({}); }

  void LoadTier(std::optional<Policy> limit,
                OnBackendError on_backend_error = OnBackendError::kError) {
    DomainSpec spec;
    spec.tiers.emplace();
    spec.tiers->identity = {{.key = "user_id"}};
    Rule& rule = spec.tiers->default_rule;
    rule = {.path = "default",
            .policy = {.limit = 2},
            .on_backend_error = on_backend_error};
    DegradeRule degrade;
    degrade.cheaper = {{"gpt-4", "gpt-3.5-turbo"}};
    degrade.cheapest = "gpt-3.5-turbo";
    degrade.limit = limit;
    rule.degrade = std::make_shared<DegradeRule>(degrade);
    Load(std::move(spec));
  }

  Degraded Ask(absl::string_view descriptor) {
    Degraded result;
    const Query query = Asking({Of(descriptor)});
    limiter_->Check(query, [&](absl::StatusOr<const Verdict*> verdict) {
      ++result.answer.dones;
      result.answer.status = verdict.status();
      if (!verdict.ok()) return;
      const Verdict& said = **verdict;
      result.answer.over_limit = said.over_limit;
      result.answer.statuses.assign(said.statuses.begin(), said.statuses.end());
      result.degraded = said.degraded != nullptr;
      result.model = std::string(said.model);
    });
    EXPECT_EQ(result.answer.dones, 1);
    return result;
  }
  Degraded UseUp(absl::string_view descriptor) {
    Ask(descriptor);
    Ask(descriptor);
    return Ask(descriptor);
  }
};

TEST_F(LimiterDegradeTest, OverTheLimitItPassesOnTheCheaperModel) {
  const Degraded result = UseUp("user_id=alice,model=gpt-4");
  EXPECT_FALSE(result.answer.over_limit);
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(result.model, "gpt-3.5-turbo");
  EXPECT_FALSE(result.answer.only().over_limit);
  EXPECT_TRUE(result.answer.only().degraded);
  EXPECT_EQ(result.answer.only().remaining, 0);
  EXPECT_EQ(result.answer.only().reset, absl::Minutes(1));
  EXPECT_EQ(Total(RuleAt("default").counters.ok), 2);
  EXPECT_EQ(Total(RuleAt("default").counters.degraded), 1);
  EXPECT_EQ(Total(RuleAt("default").counters.over_limit), 0);
}

TEST_F(LimiterDegradeTest, ARequestWithinTheLimitIsNotDegraded) {
  EXPECT_FALSE(Ask("user_id=alice,model=gpt-4").degraded);
}

TEST_F(LimiterDegradeTest, ARequestWithoutAModelGetsTheCheapest) {
  EXPECT_EQ(UseUp("user_id=alice").model, "gpt-3.5-turbo");
}

TEST_F(LimiterDegradeTest, ARequestForTheCheapestModelIsRefused) {
  const Degraded result = UseUp("user_id=alice,model=gpt-3.5-turbo");
  EXPECT_TRUE(result.answer.over_limit);
  EXPECT_FALSE(result.degraded);
}

TEST_F(LimiterDegradeTest, ALimitOfItsOwnHoldsDegradedTraffic) {
  LoadTier(Policy{.limit = 1});
  EXPECT_TRUE(UseUp("user_id=alice,model=gpt-4").degraded);
  const Degraded refused = Ask("user_id=alice,model=gpt-4");
  EXPECT_TRUE(refused.answer.over_limit);
  EXPECT_FALSE(refused.degraded);
  EXPECT_TRUE(refused.answer.only().over_limit);
  EXPECT_EQ(refused.answer.only().reset, absl::Minutes(1));
  EXPECT_TRUE(UseUp("user_id=bob,model=gpt-4").degraded);
}

TEST_F(LimiterDegradeTest, AfterTheWindowTheModelIsTheOwnAgain) {
  UseUp("user_id=alice,model=gpt-4");
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(Ask("user_id=alice,model=gpt-4").degraded);
}

TEST_F(LimiterDegradeTest, AStoreThatFailsInBetweenIsAnError) {
  LoadTier(Policy{.limit = 1});
  Ask("user_id=alice");
  Ask("user_id=alice");
  store_.fail_after = 1;
  EXPECT_EQ(Ask("user_id=alice").answer.status.code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(LimiterDegradeTest, AStoreThatFailsInBetweenIsDecidedByThePolicy) {
  for (const OnBackendError policy :
       {OnBackendError::kAllow, OnBackendError::kDeny,
        OnBackendError::kLocal}) {
    SCOPED_TRACE(static_cast<int>(policy));
    LoadTier(Policy{.limit = 1}, policy);
    const std::string user =
        "user_id=user" + std::to_string(static_cast<int>(policy));
    Ask(user);
    Ask(user);
    store_.fail_after = 1;
    const Degraded result = Ask(user);
    EXPECT_EQ(result.answer.over_limit, policy == OnBackendError::kDeny);
    // A refused request is never called degraded.
    EXPECT_EQ(result.degraded, policy != OnBackendError::kDeny);
    EXPECT_EQ(result.answer.only().over_limit, result.answer.over_limit);
  }
}

TEST_F(LimiterDegradeTest, WithoutAStoreTheLocalCountersDecideWhoDegrades) {
  LoadTier(Policy{.limit = 1}, OnBackendError::kLocal);
  store_.failure = absl::UnavailableError("gone");
  EXPECT_TRUE(UseUp("user_id=alice").degraded);
  EXPECT_TRUE(Ask("user_id=alice").answer.over_limit);
}

// A rule of the tree that refuses outweighs one that degrades. A rule that
// admits the request is charged by the degraded request, too.
class LimiterMixedTest : public LimiterTest {
 protected:
  void LoadBoth(int64_t strict) {
    RuleNode cheap = Limited("cheap", 1);
    DegradeRule degrade;
    degrade.cheapest = "small";
    cheap.rule->degrade = std::make_shared<DegradeRule>(degrade);
    LoadNodes({cheap, Limited("strict", strict)});
  }
};

TEST_F(LimiterMixedTest, ALimitThatRefusesOutweighsOneThatDegrades) {
  LoadBoth(1);
  EXPECT_FALSE(Check(Asking({Of("cheap=1"), Of("strict=1")})).over_limit);
  EXPECT_TRUE(Check(Asking({Of("cheap=1"), Of("strict=1")})).over_limit);
}

TEST_F(LimiterMixedTest, ADegradedRequestIsChargedToItsOtherLimits) {
  LoadBoth(2);
  EXPECT_FALSE(Check(Asking({Of("cheap=1"), Of("strict=1")})).over_limit);
  const Answer degraded = Check(Asking({Of("cheap=1"), Of("strict=1")}));
  EXPECT_FALSE(degraded.over_limit);
  EXPECT_TRUE(degraded.statuses[0].degraded);
  EXPECT_EQ(degraded.statuses[1].remaining, 0);
  EXPECT_TRUE(Check(Asking({Of("cheap=1"), Of("strict=1")})).over_limit);
}

}  // namespace
}  // namespace rls
