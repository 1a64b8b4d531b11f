// The limit that speaks for a request, and the reset of a charge that never
// fits.

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

class LimiterLeading : public LimiterTest {
 protected:
  static RuleNode Windowed(const std::string& key, int64_t limit,
                           absl::Duration window) {
    RuleNode node = Limited(key, limit);
    node.rule->policy.window = window;
    return node;
  }
  static RuleNode Quota(const std::string& key, int64_t limit) {
    RuleNode node = Limited(key, limit);
    node.rule->quota = true;
    return node;
  }
};

TEST_F(LimiterLeading, IsTheOneWithTheLeastRemaining) {
  LoadNodes({Limited("a", 10), Limited("b", 5), Limited("c", 5)});
  EXPECT_EQ(Check(Asking({Of("x=1"), Of("a=1"), Of("c=1"), Of("b=1")})).leading,
            2);
}

// As in envoyproxy/ratelimit, however long the limits last.
TEST_F(LimiterLeading, IsTheLastOfTheLimitsThatAreOver) {
  LoadNodes({Limited("b", 100), Windowed("h", 0, absl::Hours(1)),
             Windowed("m", 0, absl::Minutes(1))});
  const Answer over = Check(Asking({Of("h=1"), Of("m=1"), Of("b=1")}));
  EXPECT_TRUE(over.over_limit);
  EXPECT_EQ(over.leading, 1);
  EXPECT_EQ(Check(Asking({Of("m=1"), Of("b=1"), Of("h=1")})).leading, 2);
}

TEST_F(LimiterLeading, AQuotaThatIsOverLeadsLikeALimitWithNothingLeft) {
  LoadNodes({Quota("q", 0), Quota("r", 0), Limited("a", 1), Limited("b", 0)});
  // All quotas are over: the first one.
  EXPECT_EQ(Check(Asking({Of("q=1"), Of("r=1")})).leading, 0);
  // The first one with nothing left, over or not.
  EXPECT_EQ(Check(Asking({Of("a=1"), Of("q=1"), Of("r=1")})).leading, 0);
  // A limit that is over goes first.
  EXPECT_EQ(Check(Asking({Of("q=1"), Of("b=1"), Of("r=1")})).leading, 1);
}

TEST_F(LimiterLeading, OfTiersIsTheLastToResetOfTheLimitsThatAreOver) {
  const auto tier = [](const std::string& name, absl::Duration window) {
    return Rule{
        .path = name, .policy = {.limit = 1, .window = window}, .tier = name};
  };
  DomainSpec spec;
  spec.tiers = TierSpec{
      .identity = {{"user_id", ""}},
      .tiers = {tier("minute", absl::Minutes(1)), tier("hour", absl::Hours(1))},
      .assignments = {{"m", 0}, {"h", 1}},
      .default_rule = {.path = "default", .policy = {.limit = 0}}};
  Load(std::move(spec));
  Check(Asking({Of("user_id=m"), Of("user_id=h")}));
  const Answer over = Check(Asking({Of("user_id=h"), Of("user_id=m")}));
  EXPECT_TRUE(over.over_limit);
  EXPECT_EQ(over.leading, 0);
  // A charge that can never pass resets last of all.
  EXPECT_EQ(Check(Asking({Of("user_id=h"), Of("user_id=x")})).leading, 1);
}

struct NeverCase {
  const char* name;
  Policy policy;
  absl::Duration reset;  // at 19 minutes 21 seconds past a whole hour
};

class LimiterNever : public LimiterTest,
                     public testing::WithParamInterface<NeverCase> {};

TEST_P(LimiterNever, TheResetIsThatOfTheCounterAsItIs) {
  clock_.Advance(absl::Minutes(19) + absl::Seconds(21));
  RuleNode node = Limited("a", 0);
  node.rule->policy = GetParam().policy;
  LoadNodes({node});
  Query query = Asking({Of("a=1")});
  query.hits = 8;
  const Answer answer = Check(query);
  EXPECT_TRUE(answer.over_limit);
  EXPECT_TRUE(answer.only().never_fits);
  EXPECT_EQ(answer.only().reset, GetParam().reset);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, LimiterNever,
    testing::Values(NeverCase{"FixedWindowOfZero",
                              {.limit = 0, .window = absl::Hours(1)},
                              absl::Seconds(2439)},
                    NeverCase{"FixedWindow",
                              {.limit = 7, .window = absl::Hours(1)},
                              absl::Seconds(2439)},
                    NeverCase{"CalendarWindow",
                              {.calendar = Calendar::kHour, .limit = 7},
                              absl::Seconds(2439)},
                    NeverCase{"SlidingWindow",
                              {.algorithm = Algorithm::kSlidingWindow,
                               .limit = 7,
                               .window = absl::Hours(1)},
                              absl::Seconds(2439)},
                    // A full bucket has no window that ends.
                    NeverCase{"TokenBucket",
                              {.algorithm = Algorithm::kTokenBucket,
                               .limit = 7,
                               .window = absl::Hours(1)},
                              absl::Hours(1)},
                    NeverCase{"TokenBucketOfZero",
                              {.algorithm = Algorithm::kTokenBucket,
                               .limit = 0,
                               .window = absl::Hours(1)},
                              absl::Hours(1)}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace rls
