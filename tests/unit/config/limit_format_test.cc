#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

std::string WithLease(const std::string& lease) {
  return absl::StrCat(
      "domain: d\ndescriptors:\n  - key: user\n    rate_limit:\n"
      "      unit: second\n      requests_per_unit: 1000\n      lease: ",
      lease, "\n");
}

std::optional<LeaseTerms> TermsOf(const std::string& lease) {
  return MustLoad(WithLease(lease)).nodes.at(0).rule->lease;
}

TEST(LeaseFormatTest, ReadsShareAndTtl) {
  EXPECT_EQ(
      TermsOf("{max_share: 2.5%, ttl: 500ms}"),
      (LeaseTerms{.max_share_ppm = 25'000, .ttl = absl::Milliseconds(500)}));
  EXPECT_EQ(TermsOf("{max_share: 50%}")->max_share_ppm, 500'000);
  EXPECT_EQ(TermsOf("{max_share: 0.0001%}")->max_share_ppm, 1);
  EXPECT_EQ(TermsOf("{}"), LeaseTerms());
  EXPECT_EQ(TermsOf(""), std::nullopt);
}

TEST(LeaseFormatTest, ErrorsShowTheExpectedValue) {
  for (const char* share : {"5", "0%", "51%", "-1%", "nan%", "inf%", "x%",
                            "0.00001%", "5 percent"}) {
    EXPECT_THAT(ErrorsOf(WithLease(absl::StrCat("{max_share: ", share, "}"))),
                HasSubstr(absl::StrCat("f.yaml:7: max_share: found \"", share,
                                       "\", expected a share of the limit from "
                                       "0.0001% to 50%, such as 5%")));
  }
  EXPECT_THAT(ErrorsOf(WithLease("{ttl: 99ms}")),
              HasSubstr("f.yaml:7: ttl: found \"99ms\", expected a duration "
                        "from 100ms to 1m"));
  EXPECT_THAT(ErrorsOf(WithLease("{max_shar: 5%}")),
              HasSubstr("did you mean \"max_share\"?"));
  EXPECT_THAT(ErrorsOf(WithLease("5%")), HasSubstr("f.yaml:7: lease: "));
}

TEST(StatedHitsFormatTest, DescriptorsChargeThemUnlessTheLimitChecks) {
  const auto stated = [](const std::string& key) {
    return MustLoad(
               "domain: d\ndescriptors:\n  - key: user\n    rate_limit: "
               "{unit: hour, requests_per_unit: 9" +
               key + "}\n")
        .nodes.at(0)
        .rule->stated_hits;
  };
  EXPECT_EQ(stated(""), StatedHits::kCharge);
  EXPECT_EQ(stated(", hits_addend: charge"), StatedHits::kCharge);
  EXPECT_EQ(stated(", hits_addend: check"), StatedHits::kCheck);
  EXPECT_THAT(ErrorsOf("domain: d\ndescriptors:\n  - key: user\n    "
                       "rate_limit: {unit: hour, hits_addend: ask}\n"),
              HasSubstr("f.yaml:4: hits_addend: found \"ask\", expected "
                        "check, charge"));
}

TEST(LeaseFormatTest, TiersHaveLeasesToo) {
  const DomainSpec domain = MustLoad(R"(
rate_limit:
  default_rps: 10
  user_tiers:
    free: {rps: 5000, lease: {ttl: 2s}}
    pro:
      limits:
        - {requests: 10000, per: 1m, lease: {max_share: 1%}}
        - {requests: 90000, per: 1h}
)");
  const std::vector<Rule>& tiers = domain.tiers->tiers;
  EXPECT_EQ(tiers.at(0).lease->ttl, absl::Seconds(2));
  EXPECT_EQ(tiers.at(1).lease->max_share_ppm, 10'000);
  EXPECT_EQ(tiers.at(1).more.at(0).lease, std::nullopt);
}

TEST(LeaseFormatTest, RefusesImpossibleLeases) {
  const std::string start = "rate_limit:\n  default_rps: 1\n";
  EXPECT_THAT(
      ErrorsOf(start + "  enforce: queue\n  user_tiers:\n"
                       "    a: {rps: 1, lease: {}}\n"),
      HasSubstr("f.yaml:5: lease cannot be combined with enforce: queue"));
  EXPECT_THAT(
      ErrorsOf(start + "  user_tiers:\n    a:\n      reserve: estimated\n"
                       "      limits: [{tokens: 9, per: 1m, lease: {}}]\n"),
      HasSubstr("f.yaml:5: reserve cannot be combined with lease"));
  EXPECT_THAT(ErrorsOf(start + "  user_tiers:\n    a:\n      lease: {}\n"
                               "      limits: [{requests: 9, per: 1m}]\n"),
              HasSubstr("f.yaml:5: lease cannot be combined with limits"));
  EXPECT_THAT(
      ErrorsOf("models: {a: {cost: 1}, b: {cost: 2}}\n" + start +
               "  enforce: degrade\n  degrade: {limit: {rps: 1, lease: {}}}\n"),
      HasSubstr("lease cannot be combined with the limit of degrade"));
  EXPECT_THAT(
      ErrorsOf(start + "  user_tiers:\n"
                       "    a: {rps: 9, burst: 9, lease: {}}\n"),
      HasSubstr("f.yaml:4: lease with a burst requires burst_mode upfront"));
  EXPECT_THAT(ErrorsOf("domain: d\ndescriptors:\n  - key: user\n"
                       "    rate_limit: {unlimited: true, lease: {}}\n"),
              HasSubstr("lease cannot be combined with unlimited"));
}

TEST(QueueFormatTest, ReadsQueues) {
  const DomainSpec domain = MustLoad(R"(
rate_limit:
  default_rps: 10
  enforce: queue
  queue: {max_wait: 1m30s, max_queued: 50, max_queued_per_user: 7}
  user_tiers:
    free: {rps: 5}
    even: {rps: 5, algorithm: token_bucket}
    daily: {rps: 1000, calendar: day}
)");
  const std::vector<Rule>& tiers = domain.tiers->tiers;
  const QueueRule queue{.max_wait = absl::Seconds(90),
                        .max_queued = 50,
                        .max_queued_per_user = 7};
  EXPECT_TRUE(domain.tiers->default_rule.policy.queue);
  EXPECT_EQ(domain.tiers->default_rule.queue, queue);
  EXPECT_TRUE(tiers.at(0).policy.queue);
  EXPECT_EQ(tiers.at(0).queue, queue);
  EXPECT_TRUE(tiers.at(1).policy.queue);
  EXPECT_FALSE(tiers.at(2).policy.queue);
  const std::string start = "rate_limit:\n  default_rps: 1\n";
  EXPECT_FALSE(MustLoad(start + "  queue: {max_wait: 1s}\n")
                   .tiers->default_rule.policy.queue);
  EXPECT_EQ(MustLoad(start + "  enforce: queue\n").tiers->default_rule.queue,
            QueueRule{});
}

TEST(QueueFormatTest, RefusesImpossibleQueues) {
  const std::string start = "rate_limit:\n  default_rps: 1\n  enforce: queue\n";
  EXPECT_THAT(ErrorsOf(start + "  queue: {max_wait: 2d}\n"),
              HasSubstr("f.yaml:4: max_wait: found \"2d\", expected a duration "
                        "from 1ms to 24h"));
  EXPECT_THAT(ErrorsOf(start + "  queue: {max_qued: 1}\n"),
              HasSubstr("did you mean \"max_queued\"?"));
  EXPECT_THAT(ErrorsOf(start + "  accounting: independent\n"),
              HasSubstr("cannot be combined with accounting: independent"));
  EXPECT_THAT(
      ErrorsOf(start + "  user_tiers:\n    a: {rps: 1,\n"
                       "        algorithm: sliding_window}\n"),
      HasSubstr(
          "f.yaml:6: algorithm sliding_window cannot be combined with enforce: "
          "queue"));
}

}  // namespace
}  // namespace rls
