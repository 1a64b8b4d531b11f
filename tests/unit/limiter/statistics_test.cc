// The statistics of decisions: the arithmetic, and the paths.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "limiter/count_statistics.h"
#include "metrics/statistics_text.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Numbers {
  uint64_t total = 0, over = 0, near = 0, within = 0, in_memory = 0, shadow = 0;
};

TEST(HitsOfChargeTest, HasTheArithmeticOfEnvoyproxyRatelimit) {
  const std::pair<ChargedLimit, Numbers> cases[] = {
      // Below the near limit, up to it, across it, above it, up to the limit.
      {{.limit = 10, .cost = 7, .left = 3}, {.total = 7, .within = 7}},
      {{.limit = 10, .cost = 8, .left = 2}, {.total = 8, .within = 8}},
      {{.limit = 10, .cost = 9, .left = 1},
       {.total = 9, .near = 1, .within = 9}},
      {{.limit = 10, .cost = 1, .left = 0},
       {.total = 1, .near = 1, .within = 1}},
      {{.limit = 10, .cost = 2, .left = 0},
       {.total = 2, .near = 2, .within = 2}},
      // Refused: across the near limit, above it, beyond the limit.
      {{.limit = 10, .cost = 7, .left = 3, .over = true},
       {.total = 7, .over = 4, .near = 2}},
      {{.limit = 10, .cost = 7, .left = 1, .over = true},
       {.total = 7, .over = 6, .near = 1}},
      {{.limit = 10, .cost = 7, .left = 0, .over = true},
       {.total = 7, .over = 7}},
      {{.limit = 10, .cost = 100, .left = 10, .over = true},
       {.total = 100, .over = 90, .near = 2}},
      {{.limit = 0, .cost = 3, .over = true}, {.total = 3, .over = 3}},
      {{.limit = 10, .cost = 7, .left = 3, .over = true, .shadowed = true},
       {.total = 7, .over = 4, .near = 2, .shadow = 4}},
      {{.limit = 10, .cost = 7, .over = true, .from_memory = true},
       {.total = 7, .over = 7, .in_memory = 7}},
      // floor(0.8F * 4) is 3, and a bucket may have more than its limit.
      {{.limit = 4, .cost = 4, .left = 0},
       {.total = 4, .near = 1, .within = 4}},
      {{.limit = 4, .cost = 1, .left = 9}, {.total = 1, .within = 1}},
  };
  for (const auto& [charge, numbers] : cases) {
    const HitCounts expected = {numbers.total,     numbers.over,
                                numbers.near,      numbers.within,
                                numbers.in_memory, numbers.shadow};
    EXPECT_EQ(HitsOfCharge(charge, 0.8F), expected)
        << charge.limit << " " << charge.cost << " " << charge.left;
  }
}

// The limiter of the fixture, with statistics.
class StatisticsTest : public testing::Test {
 protected:
  StatisticsTest() : metrics_(NewMetrics(NewStatistics({}))) {
    limiter_ = NewLimiter({.rules = rules_,
                           .loop = loop_,
                           .store = *store_,
                           .local_store = *store_,
                           .clock = clock_,
                           .metrics = *metrics_});
  }

  void Load(std::vector<RuleNode> nodes,
            Accounting accounting = Accounting::kAllOrNothing) {
    auto domain = CompileDomain({.name = "d",
                                 .accounting = accounting,
                                 .nodes = std::move(nodes),
                                 .tiers = std::nullopt},
                                *metrics_);
    ASSERT_TRUE(domain.ok()) << domain.status();
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    book->domains["d"] = *domain;
    rules_.Set(std::move(book));
  }

  void Check(std::vector<Descriptor> descriptors, uint32_t hits = 1) {
    Query query = Asking(std::move(descriptors));
    query.domain = "d";
    query.hits = hits;
    limiter_->Check(query, [](const absl::StatusOr<const Verdict*>&) {});
  }

  // The statistics of the path "a.b" in the order of Numbers.
  HitCounts Of(const std::string& path) {
    const StatisticsSnapshot snapshot = metrics_->statistics()->Read();
    for (const auto& [found, counts] : snapshot.hits) {
      if (absl::StrJoin(found, ".") == "d." + path) return counts;
    }
    return {};
  }
  std::string All() { return PlainText(metrics_->statistics()->Read()); }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  const std::unique_ptr<Metrics> metrics_;
  RuleBookHolder rules_;
  const std::unique_ptr<MemoryStore> store_ = NewMemoryStore(clock_, {});
  std::unique_ptr<Limiter> limiter_;
};

constexpr HitCounts kExample = {14, 4, 2, 7, 0, 0};

TEST_F(StatisticsTest, TheExampleWithBothWaysOfAccounting) {
  for (const Accounting accounting :
       {Accounting::kAllOrNothing, Accounting::kIndependent}) {
    const std::string key =
        accounting == Accounting::kIndependent ? "independent" : "all";
    Load({Limited(key, 10)}, accounting);
    const std::string text = key + "=1";
    Check({rls::Of(text)}, 7);
    Check({rls::Of(text)}, 7);
    EXPECT_EQ(Of(key), kExample) << key;
  }
}

TEST_F(StatisticsTest, AStatedCostIsSplitAtTheLimit) {
  RuleNode node = Limited("a", 10);
  node.rule->stated_hits = StatedHits::kCharge;
  Load({node});
  for (int i = 0; i < 2; ++i) {
    Descriptor descriptor = rls::Of("a=1");
    descriptor.hits = 7;
    Check({descriptor});
  }
  EXPECT_EQ(Of("a"), kExample);
}

TEST_F(StatisticsTest, ShadowModeCountsThePartBeyondTheLimit) {
  RuleNode node = Limited("a", 10);
  node.rule->shadow = true;
  Load({node}, Accounting::kIndependent);
  Check({rls::Of("a=1")}, 7);
  Check({rls::Of("a=1")}, 7);
  EXPECT_EQ(Of("a"), (HitCounts{14, 4, 2, 7, 0, 4}));
}

TEST_F(StatisticsTest, ALimitThatIsNotChargedCountsAsIfItWere) {
  Load({Limited("a", 10), Limited("b", 0)});
  Check({rls::Of("a=1"), rls::Of("b=1")}, 9);
  EXPECT_EQ(Of("a"), (HitCounts{9, 0, 1, 9, 0, 0}));
  EXPECT_EQ(Of("b"), (HitCounts{9, 9, 0, 0, 0, 0}));
}

TEST_F(StatisticsTest, LooksRefundsAndMissingLimitsCountNothing) {
  RuleNode free{.key = "free"};
  free.rule = Rule{.path = "free", .unlimited = true};
  Load({Limited("a", 10), free});
  Descriptor look = rls::Of("a=1");
  look.hits = 0;
  Descriptor refund = rls::Of("a=1");
  refund.hits = 2;
  refund.is_negative_hits = true;
  Check({look, refund, rls::Of("free=1"), rls::Of("none=1")});
  EXPECT_THAT(metrics_->statistics()->Read().hits, IsEmpty());
}

TEST_F(StatisticsTest, ThePathHasTheNodesAsConfigured) {
  RuleNode child = Limited("user", 5);
  RuleNode parent{.key = "path", .value = "/a*"};
  parent.children = {child};
  Load({parent});
  Check({rls::Of("path=/abc,user=alice")});
  EXPECT_EQ(Of("path_/a*.user")[0], 1u);
}

TEST_F(StatisticsTest, ValueToMetricNamesItsLevelByTheRequest) {
  RuleNode parent{.key = "path"};
  parent.value_to_metric = true;
  parent.children = {Limited("user", 5)};
  Load({parent});
  Check({rls::Of("path=/x,user=alice")});
  Check({rls::Of("path=/y,user=alice")});
  EXPECT_EQ(Of("path_/x.user")[0], 1u);
  EXPECT_EQ(Of("path_/y.user")[0], 1u);
}

TEST_F(StatisticsTest, DetailedMetricNamesAllLevelsByTheRequest) {
  RuleNode child = Limited("user", 5);
  child.detailed_metric = true;
  RuleNode parent{.key = "path", .value = "/a*"};
  parent.children = {child};
  Load({parent});
  Check({rls::Of("path=/abc,user=alice")});
  EXPECT_EQ(Of("path_/abc.user_alice")[0], 1u);
}

TEST_F(StatisticsTest, ASharedWildcardKeepsItsPattern) {
  RuleNode node = Limited("path", 5);
  node.value = "/a*";
  node.share = true;
  node.detailed_metric = true;
  node.value_to_metric = true;
  Load({node});
  Check({rls::Of("path=/abc")});
  EXPECT_EQ(Of("path_/a*")[0], 1u);
}

TEST_F(StatisticsTest, SecretsAreHashed) {
  RuleNode by_name = Limited("api_key", 5);
  by_name.detailed_metric = true;
  RuleNode marked = Limited("customer", 5);
  marked.detailed_metric = true;
  marked.secret = true;
  Load({by_name, marked});
  Descriptor overridden = rls::Of("token=hidden-1");
  overridden.limit_override = Policy{.limit = 5};
  Check(
      {rls::Of("api_key=hidden-2"), rls::Of("customer=hidden-3"), overridden});
  EXPECT_THAT(All(), Not(HasSubstr("hidden")));
  for (const char* key : {"api_key", "customer", "token"}) {
    EXPECT_THAT(All(), HasSubstr(absl::StrCat("d.", key, "_sha256_")));
  }
}

TEST_F(StatisticsTest, AnOverrideHasThePathOfItsEntries) {
  Load({Limited("a", 10)});
  Descriptor descriptor = rls::Of("a=1,b=2");
  descriptor.limit_override = Policy{.limit = 10};
  Check({descriptor}, 7);
  Check({descriptor}, 7);
  EXPECT_EQ(Of("a_1.b_2"), kExample);
}

TEST_F(StatisticsTest, ValuesWithoutAPlaceCountUnderTheirLimit) {
  RuleNode node = Limited("a", 10);
  node.value_to_metric = true;
  Load({node});
  const std::string text = "a=" + std::string(kMaxPathBytes, 'x');
  Check({rls::Of(text)}, 3);
  EXPECT_EQ(Of("a")[0], 3u);
  Descriptor descriptor = rls::Of(text);
  descriptor.limit_override = Policy{.limit = 10};
  Check({descriptor}, 4);
  EXPECT_EQ(metrics_->statistics()->Read().unnamed, 4u);
}

TEST_F(StatisticsTest, UnknownDomainsAreCounted) {
  Load({});
  Query query = Asking({rls::Of("a=1")});
  query.domain = "elsewhere";
  limiter_->Check(query, [](const absl::StatusOr<const Verdict*>&) {});
  EXPECT_THAT(All(), HasSubstr("rate_limit.elsewhere.domain_not_found: 1\n"));
}

}  // namespace
}  // namespace rls
