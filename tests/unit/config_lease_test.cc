#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "unit/config_fixture.h"

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

TEST(LeaseFormatTest, NamesWhatItExpected) {
  for (const char* share : {"5", "0%", "51%", "-1%", "nan%", "inf%", "x%",
                            "0.00001%", "5 percent"}) {
    EXPECT_THAT(ErrorsOf(WithLease(absl::StrCat("{max_share: ", share, "}"))),
                HasSubstr(absl::StrCat("f.yaml:7: max_share: found \"", share,
                                       "\", expected a part of the limit from "
                                       "0.0001% to 50%, such as 5%")));
  }
  EXPECT_THAT(ErrorsOf(WithLease("{ttl: 99ms}")),
              HasSubstr("f.yaml:7: ttl: found \"99ms\", expected a duration "
                        "from 100ms to 1m"));
  EXPECT_THAT(ErrorsOf(WithLease("{max_shar: 5%}")),
              HasSubstr("did you mean \"max_share\"?"));
  EXPECT_THAT(ErrorsOf(WithLease("5%")), HasSubstr("f.yaml:7: lease: "));
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

TEST(LeaseFormatTest, RefusesLeasesThatCannotBe) {
  const std::string start = "rate_limit:\n  default_rps: 1\n";
  EXPECT_THAT(ErrorsOf(start + "  enforce: queue\n  user_tiers:\n"
                               "    a: {rps: 1, lease: {}}\n"),
              HasSubstr("f.yaml:5: lease does not go with enforce: queue"));
  EXPECT_THAT(
      ErrorsOf(start + "  user_tiers:\n    a:\n      reserve: estimated\n"
                       "      limits: [{tokens: 9, per: 1m, lease: {}}]\n"),
      HasSubstr("f.yaml:5: reserve does not go with lease"));
  EXPECT_THAT(ErrorsOf(start + "  user_tiers:\n    a:\n      lease: {}\n"
                               "      limits: [{requests: 9, per: 1m}]\n"),
              HasSubstr("f.yaml:5: lease does not go with limits"));
  EXPECT_THAT(
      ErrorsOf("models: {a: {cost: 1}, b: {cost: 2}}\n" + start +
               "  enforce: degrade\n  degrade: {limit: {rps: 1, lease: {}}}\n"),
      HasSubstr("lease does not go with the limit of degrade"));
  EXPECT_THAT(ErrorsOf(start + "  user_tiers:\n"
                               "    a: {rps: 9, burst: 9, lease: {}}\n"),
              HasSubstr("f.yaml:4: lease goes with burst_mode upfront only"));
  EXPECT_THAT(ErrorsOf("domain: d\ndescriptors:\n  - key: user\n"
                       "    rate_limit: {unlimited: true, lease: {}}\n"),
              HasSubstr("lease does not go with unlimited"));
}

}  // namespace
}  // namespace rls
