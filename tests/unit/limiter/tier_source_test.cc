#include <thread>

#include "gmock/gmock.h"
#include "unit/limiter/fake_tier_source.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Rule RuleOf(const std::string& tier, int64_t limit) {
  return {.path = tier.empty() ? "default" : "tier " + tier,
          .policy = {.limit = limit},
          .tier = tier};
}

class LimiterTierSourceTest : public LimiterTest {
 protected:
  LimiterTierSourceTest() {
    tier_sources_ = &sources_;
    LoadTiers(spec_);
  }

  void LoadTiers(const TierSourceSpec& spec) {
    TierSpec tiers;
    tiers.identity = {{.key = "user_id"}};
    tiers.tiers = {RuleOf("free", 5), RuleOf("pro", 50), RuleOf("patient", 1)};
    tiers.tiers.back().policy.queue = true;
    tiers.tiers.back().queue = {.max_wait = absl::Minutes(5)};
    tiers.default_rule = RuleOf("", 10);
    tiers.assignments = {{"listed", 0}};
    tiers.source = spec;
    DomainSpec domain;
    domain.tiers = std::move(tiers);
    Load(std::move(domain));
  }

  FakeTierSources::Source& source() { return *sources_.source; }

  // The path of the rule that a user gets.
  std::string PathOf(const std::string& user) {
    const std::string descriptor = "user_id=" + user;
    return Check(descriptor).only().rule->path;
  }

  FakeTierSources sources_;
  TierSourceSpec spec_{.url = "http://h/{user_id}"};
};

TEST_F(LimiterTierSourceTest, ATierOfTheSourceCountsForUsersThatAreNotListed) {
  source().tiers = {{"u", "pro"}, {"listed", "pro"}};
  EXPECT_EQ(PathOf("u"), "tier pro");
  EXPECT_EQ(PathOf("listed"), "tier free");
  EXPECT_THAT(source().asked, ElementsAre("u"));
  EXPECT_EQ(sources_.last_domain, "domain");
}

TEST_F(LimiterTierSourceTest, ListedUsersAreLookedUpIfTheConfigurationWantsIt) {
  spec_.ask_assigned = true;
  LoadTiers(spec_);
  source().tiers = {{"listed", "pro"}};
  EXPECT_EQ(PathOf("listed"), "tier pro");
  // Without an answer, and without a tier, the static assignment holds.
  source().tiers = {};
  EXPECT_EQ(PathOf("listed"), "tier free");
  source().tiers = {{"listed", ""}};
  EXPECT_EQ(PathOf("listed"), "tier free");
}

TEST_F(LimiterTierSourceTest, AUserWhomTheSourceDoesNotKnowGetsTheDefault) {
  source().tiers = {{"none", ""}, {"odd", "platinum"}};
  EXPECT_EQ(PathOf("none"), "default");
  EXPECT_EQ(PathOf("stranger"), "default");
  EXPECT_EQ(PathOf("odd"), "default");
  EXPECT_EQ(Total(&metrics_.GetCounter({.name = "ratelimitd_tier_unknown_total",
                                        .labels = {{"domain", "domain"}}})),
            1);
}

TEST_F(LimiterTierSourceTest, RequestsWithoutAUserAreNotLookedUp) {
  EXPECT_EQ(Check("remote_address=10.0.0.1").only().rule->path, "default");
  EXPECT_EQ(Check("other=x").only().rule->path, "default");
  EXPECT_THAT(source().asked, IsEmpty());
}

TEST_F(LimiterTierSourceTest, ARequestIsHeldUntilTheTierIsThere) {
  source().is_held = true;
  source().tiers = {{"u", "pro"}};
  Query query = Asking({Of("user_id=u")});
  query.deadline = clock_.Now() + absl::Seconds(3);
  Answer answer;
  Start(query, answer);
  EXPECT_EQ(answer.dones, 0);
  EXPECT_EQ(store_.takes, 0);
  EXPECT_EQ(source().last_deadline, query.deadline);
  source().ReleaseOne();
  EXPECT_EQ(answer.dones, 1);
  EXPECT_EQ(answer.only().rule->path, "tier pro");
  EXPECT_EQ(answer.only().remaining, 49);
}

TEST_F(LimiterTierSourceTest, AllUsersOfARequestAreAskedForAtOnce) {
  source().is_held = true;
  source().tiers = {{"a", "pro"}, {"b", "free"}};
  const Query query = Asking({Of("user_id=a"), Of("remote_address=x"),
                              Of("user_id=b"), Of("user_id=listed")});
  Answer answer;
  Start(query, answer);
  EXPECT_THAT(source().asked, ElementsAre("a", "b"));
  source().ReleaseOne();
  EXPECT_EQ(answer.dones, 0);
  source().ReleaseOne();
  ASSERT_EQ(answer.dones, 1);
  std::vector<std::string> paths;
  for (const LimitStatus& status : answer.statuses) {
    paths.push_back(status.rule->path);
  }
  EXPECT_THAT(paths,
              ElementsAre("tier pro", "default", "tier free", "tier free"));
}

TEST_F(LimiterTierSourceTest, AnswersMayComeOnSeveralThreads) {
  source().is_held = true;
  source().tiers = {{"a", "pro"}, {"b", "free"}};
  const Query query = Asking({Of("user_id=a"), Of("user_id=b")});
  Answer answer;
  Start(query, answer);
  auto held = std::move(source().held);
  std::thread other([&] { held[0].second("pro"); });
  held[1].second("free");
  other.join();
  ASSERT_EQ(answer.dones, 1);
  EXPECT_EQ(answer.statuses[0].rule->path, "tier pro");
  EXPECT_EQ(answer.statuses[1].rule->path, "tier free");
}

TEST_F(LimiterTierSourceTest, AnUpgradeKeepsTheUsageOfTheWindow) {
  source().tiers = {{"u", "free"}};
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Check("user_id=u").over_limit);
  EXPECT_TRUE(Check("user_id=u").over_limit);
  source().tiers = {{"u", "pro"}};
  EXPECT_EQ(Check("user_id=u").only().remaining, 50 - 6);
  // And back, and to no tier at all.
  source().tiers = {{"u", "free"}};
  EXPECT_TRUE(Check("user_id=u").over_limit);
  source().tiers = {};
  EXPECT_EQ(Check("user_id=u").only().remaining, 10 - 7);
}

// Redis gets the same key before and after an upgrade.
TEST_F(LimiterTierSourceTest, TheCounterKeyDoesNotDependOnTheTier) {
  Match match;
  const Descriptor descriptor = Of("user_id=u");
  domain_->Find(descriptor.entries, match);
  EXPECT_TRUE(match.needs_lookup);
  EXPECT_TRUE(match.secret);
  EXPECT_THAT(match.parts, ElementsAre("user", "u"));
  for (const char* tier : {"free", "pro"}) {
    EXPECT_EQ(domain_->RuleOfTier(tier)->scope, match.rule->scope);
  }
}

TEST_F(LimiterTierSourceTest, ARequestThatIsHeldKeepsItsRulesOverAReload) {
  source().is_held = true;
  source().tiers = {{"u", "pro"}};
  const Query query = Asking({Of("user_id=u")});
  Answer answer;
  Start(query, answer);
  const auto held_by = sources_.source;
  spec_.ttl = absl::Seconds(7);
  LoadTiers(spec_);
  domain_.reset();
  EXPECT_EQ(sources_.opened, 2);
  held_by->ReleaseOne();
  EXPECT_EQ(answer.dones, 1);
  EXPECT_FALSE(answer.over_limit);
}

TEST_F(LimiterTierSourceTest, ATierThatQueuesHoldsAsAnyOther) {
  source().is_held = true;
  source().tiers = {{"u", "patient"}};
  Caller callers[2];
  Answer answers[2];
  std::vector<Query> queries(2, Asking({Of("user_id=u")}));
  for (size_t i = 0; i < 2; ++i) {
    queries[i].caller = &callers[i];
    Start(queries[i], answers[i]);
  }
  source().ReleaseOne();
  source().ReleaseOne();
  EXPECT_EQ(answers[0].dones, 1);
  EXPECT_EQ(answers[1].dones, 0);
  clock_.Advance(absl::Minutes(1));
  loop_.FireTimers();
  EXPECT_EQ(answers[1].dones, 1);
  EXPECT_FALSE(answers[1].over_limit);
}

TEST_F(LimiterTierSourceTest, AFailingStoreIsTreatedAsWithoutASource) {
  source().tiers = {{"u", "pro"}};
  store_.failure = absl::UnavailableError("away");
  EXPECT_EQ(Check("user_id=u").status, store_.failure);
}

TEST_F(LimiterTierSourceTest, WithoutSourcesTheDescriptionIsNotUsed) {
  tier_sources_ = nullptr;
  LoadTiers(spec_);
  EXPECT_EQ(domain_->tier_source(), nullptr);
  EXPECT_EQ(PathOf("u"), "default");
}

}  // namespace
}  // namespace rls
