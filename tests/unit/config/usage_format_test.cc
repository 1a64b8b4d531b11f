#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kStart[] = "rate_limit:\n  default_rps: 1\n";

// A tier with these lines, from line 5 on.
std::string Tier(const std::string& lines) {
  return absl::StrCat(kStart, "  user_tiers:\n    pro:\n", lines);
}

TEST(UsageFormatTest, ATierHasSeveralLimits) {
  const LoadedFile file = Load(Tier(R"(
      message: too much
      on_backend_error: deny
      limits:
        - {requests: 50, per: 1m, burst: 10}
        - {tokens: 100000, per: minute, algorithm: token_bucket}
        - {requests: 1000, per: day, timezone: Europe/Berlin}
        - {tokens: 5000000000, per: 2d}
)"));
  ASSERT_TRUE(file.errors.empty()) << file.errors[0].ToString();
  const Rule& first = file.domain->tiers->tiers.at(0);
  ASSERT_EQ(first.more.size(), 3u);
  EXPECT_EQ(first.path, "tier pro requests/1m");
  EXPECT_EQ(first.policy.limit, 50);
  EXPECT_EQ(first.policy.burst, 10);
  EXPECT_EQ(first.counted, Counted::kRequests);
  const Rule& tokens = first.more[0];
  EXPECT_EQ(tokens.path, "tier pro tokens/token_bucket/1m");
  EXPECT_EQ(tokens.counted, Counted::kTokens);
  EXPECT_EQ(tokens.policy.limit, 100000);
  EXPECT_EQ(tokens.policy.algorithm, Algorithm::kTokenBucket);
  EXPECT_FALSE(tokens.refundable);
  const Rule& daily = first.more[1];
  EXPECT_EQ(daily.path, "tier pro requests/day@Europe/Berlin");
  EXPECT_EQ(daily.policy.calendar, Calendar::kDay);
  EXPECT_EQ(daily.policy.zone.name(), "Europe/Berlin");
  EXPECT_EQ(first.more[2].policy.limit, 5'000'000'000);
  EXPECT_EQ(first.more[2].policy.window, absl::Hours(48));
  for (const Rule& rule : {first, tokens, daily}) {
    EXPECT_EQ(rule.tier, "pro");
    EXPECT_EQ(rule.message, "too much");
    EXPECT_EQ(rule.on_backend_error, OnBackendError::kDeny);
    EXPECT_FALSE(rule.reserves);
  }
  ASSERT_EQ(file.tiers->limits.size(), 1u);
  EXPECT_EQ(file.tiers->limits[0].first, "pro");
  EXPECT_EQ(file.tiers->limits[0].second,
            "50 requests/1m, 100000 tokens/token_bucket/1m, "
            "1000 requests/day@Europe/Berlin, 5000000000 tokens/48h");
}

TEST(UsageFormatTest, EachLimitHasItsOwnDefaultMessage) {
  const DomainSpec domain = MustLoad(
      Tier("      limits: [{requests: 5, per: 1m}, {tokens: 9, per: day}]\n"));
  const Rule& pro = domain.tiers->tiers.at(0);
  EXPECT_EQ(pro.message, "Rate limit exceeded. Pro tier: 5 req/min");
  EXPECT_EQ(pro.more.at(0).message,
            "Rate limit exceeded. Pro tier: 9 tokens/day");
}

TEST(UsageFormatTest, EveryUnitIsAWindow) {
  const auto policy_per = [](const std::string& per) {
    return MustLoad(Tier(absl::StrCat("      limits: [{tokens: 1, per: ", per,
                                      "}]\n")))
        .tiers->tiers.at(0)
        .policy;
  };
  EXPECT_EQ(policy_per("second").window, absl::Seconds(1));
  EXPECT_EQ(policy_per("minute").window, absl::Minutes(1));
  EXPECT_EQ(policy_per("1h30m").window, absl::Minutes(90));
  EXPECT_EQ(policy_per("1h30m").calendar, Calendar::kNone);
  EXPECT_EQ(policy_per("hour").calendar, Calendar::kHour);
  EXPECT_EQ(policy_per("day").calendar, Calendar::kDay);
  EXPECT_EQ(policy_per("week").calendar, Calendar::kWeek);
  EXPECT_EQ(policy_per("month").calendar, Calendar::kMonth);
  EXPECT_EQ(policy_per("year").calendar, Calendar::kYear);
}

TEST(UsageFormatTest, AnonymousRequestsMayHaveSeveralLimitsToo) {
  const DomainSpec domain = MustLoad(absl::StrCat(
      kStart, "  anonymous:\n    reserve: estimated\n",
      "    limits: [{requests: 5, per: 1m}, {tokens: 9, per: 1m}]\n"));
  const Rule& rule = domain.tiers->anonymous->rule;
  EXPECT_EQ(rule.path, "anonymous requests/1m");
  EXPECT_TRUE(rule.more.at(0).reserves);
  EXPECT_EQ(rule.more.at(0).message,
            "Rate limit exceeded. Anonymous: 9 tokens/min");
}

TEST(UsageFormatTest, OnlyLimitsOfTokensReserve) {
  const DomainSpec domain = MustLoad(
      Tier("      reserve: estimated\n"
           "      limits: [{requests: 5, per: 1m}, {tokens: 9, per: 1m}]\n"));
  const Rule& pro = domain.tiers->tiers.at(0);
  EXPECT_FALSE(pro.reserves);
  EXPECT_FALSE(pro.refundable);
  EXPECT_TRUE(pro.more.at(0).reserves);
  EXPECT_TRUE(pro.more.at(0).refundable);
}

TEST(UsageFormatTest, OnlyLimitsOfRequestsQueue) {
  const DomainSpec domain = MustLoad(absl::StrCat(
      Tier("      limits: [{requests: 5, per: 1m}, {tokens: 9, per: 1m},\n"
           "               {requests: 9, per: day}]\n"),
      "  enforce: queue\n"));
  const Rule& pro = domain.tiers->tiers.at(0);
  EXPECT_TRUE(pro.policy.queue);
  EXPECT_FALSE(pro.more.at(0).policy.queue);
  EXPECT_FALSE(pro.more.at(1).policy.queue);
}

TEST(UsageFormatTest, ReadsTheKeysOfUsage) {
  const DomainSpec domain = MustLoad(absl::StrCat(
      kStart, "  usage: {report_key: r, tokens_key: t, request_id_key: i,\n",
      "          reserve_ttl: 90s}\n"));
  const UsageSpec& usage = domain.tiers->usage;
  EXPECT_EQ(usage.report_key, "r");
  EXPECT_EQ(usage.tokens_key, "t");
  EXPECT_EQ(usage.request_id_key, "i");
  EXPECT_EQ(usage.reserve_ttl, absl::Seconds(90));
}

TEST(UsageFormatTest, RefusesInvalidUsage) {
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  usage: {tokens_key: usage}\n")),
              HasSubstr("f.yaml:3: usage: found one key twice"));
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  usage: {token_key: a}\n")),
              HasSubstr("did you mean \"tokens_key\"?"));
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  usage: {reserve_ttl: 2d}\n")),
              HasSubstr("f.yaml:3: reserve_ttl: found \"2d\", expected a "
                        "duration from 1s to 24h"));
}

struct BadCase {
  const char* lines;
  const char* error;
};

TEST(UsageFormatTest, ReportsEveryErrorWithItsLine) {
  const BadCase cases[] = {
      {"      limits: []\n",
       "f.yaml:5: limits: found a list, expected a list with an entry or more"},
      {"      limits: {requests: 1}\n", "f.yaml:5: limits: found"},
      {"      limits: [5]\n", "f.yaml:5: an entry of limits: found"},
      {"      limits:\n      - {requests: 1}\n",
       "f.yaml:6: limits: an entry without per, expected second, minute"},
      {"      limits:\n      - {per: 1m}\n",
       "f.yaml:6: limits: an entry without requests or tokens"},
      {"      limits:\n      - {requests: 1, tokens: 1, per: 1m}\n",
       "f.yaml:6: tokens and requests cannot be combined"},
      {"      limits:\n      - {token: 1, per: 1m}\n",
       "f.yaml:6: unknown key \"token\" in an entry of limits; did you mean "
       "\"tokens\"?"},
      {"      limits:\n      - {tokens: -1, per: 1m}\n",
       "f.yaml:6: tokens: found \"-1\""},
      {"      limits:\n      - {tokens: 1, per: minut}\n",
       "did you mean \"minute\"?"},
      {"      limits:\n      - {tokens: 1, per: 1.5s}\n",
       "f.yaml:6: per: found \"1.5s\", expected second, minute"},
      {"      limits:\n      - {tokens: 1, per: 1m, timezone: UTC}\n",
       "f.yaml:6: timezone requires a calendar window"},
      {"      limits:\n      - {tokens: 1, per: day, timezone: Atlantis}\n",
       "f.yaml:6: timezone: found \"Atlantis\""},
      {"      limits:\n      - {tokens: 1, per: day,\n"
       "         algorithm: token_bucket}\n",
       "f.yaml:6: per: a calendar window requires algorithm fixed_window"},
      {"      limits:\n      - {tokens: 1, per: 1m}\n"
       "      - {tokens: 2, per: 60s}\n",
       "f.yaml:7: limits: a limit of tokens/1m occurs twice"},
      {"      rps: 5\n      limits: [{tokens: 1, per: 1m}]\n",
       "f.yaml:5: rps cannot be combined with limits"},
      {"      burst: 5\n      limits: [{tokens: 1, per: 1m}]\n",
       "f.yaml:5: burst cannot be combined with limits"},
      {"      reserve: estimated\n      rps: 5\n",
       "f.yaml:5: reserve: found no limit of tokens in tier \"pro\""},
      {"      reserve: estimate\n      limits: [{tokens: 1, per: 1m}]\n",
       "f.yaml:5: reserve: found \"estimate\", expected estimated; did you "
       "mean \"estimated\"?"},
  };
  for (const BadCase& bad : cases) {
    EXPECT_THAT(ErrorsOf(Tier(bad.lines)), HasSubstr(bad.error)) << bad.lines;
  }
}

TEST(UsageFormatTest, ReserveNeedsAllOrNothingAccountingWithoutAQueue) {
  const std::string reserving =
      Tier("      reserve: estimated\n      limits: [{tokens: 1, per: 1m}]\n");
  EXPECT_THAT(
      ErrorsOf(absl::StrCat(reserving, "  accounting: independent\n")),
      HasSubstr(
          "f.yaml:5: reserve cannot be combined with accounting: independent"));
  EXPECT_THAT(
      ErrorsOf(absl::StrCat(reserving, "  enforce: queue\n")),
      HasSubstr("f.yaml:5: reserve cannot be combined with enforce: queue"));
  EXPECT_THAT(
      ErrorsOf(absl::StrCat(
          kStart, "  enforce: queue\n  anonymous:\n    reserve: estimated\n",
          "    limits: [{tokens: 1, per: 1m}]\n")),
      HasSubstr("f.yaml:5: reserve cannot be combined with enforce: queue"));
}

TEST(UsageFormatTest, AQueueRefusesASlidingWindowInLimitsToo) {
  EXPECT_THAT(
      ErrorsOf(absl::StrCat(Tier("      limits:\n      - {requests: 1, per: 1m,"
                                 "\n         algorithm: sliding_window}\n"),
                            "  enforce: queue\n")),
      HasSubstr(
          "f.yaml:7: algorithm sliding_window cannot be combined with enforce: "
          "queue"));
}

}  // namespace
}  // namespace rls
