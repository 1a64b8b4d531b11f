#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kRecipe[] = R"(rate_limit:
  enabled: true
  default_rps: 10
  user_tiers:
    free:
      rps: 5  # Free tier: 5 req/min
      burst: 2
      window_seconds: 60
    pro: {rps: 50, burst: 10, window_seconds: 60}
  user_assignments:
    user-123:
      tier: free
    user-456: pro
  enforce: reject
providers:
  openai:
    api_key: ${OPENAI_API_KEY}
models:
  gpt-4: { provider: openai }
)";

// The policy of a limit of format 1. `limit` is a flow map without its braces.
Policy PolicyOf(const std::string& limit) {
  const DomainSpec domain = MustLoad(absl::StrCat(
      "domain: d\ndescriptors:\n- key: a\n  rate_limit: {", limit, "}\n"));
  return domain.nodes.empty() ? Policy() : domain.nodes[0].rule->policy;
}

std::string LimitErrors(const std::string& limit) {
  return ErrorsOf(absl::StrCat(
      "domain: d\ndescriptors:\n- key: a\n  rate_limit: {", limit, "}\n"));
}

TEST(DescriptorFormatTest, OnBackendErrorOfTheDomainIsTheDefaultOfItsLimits) {
  const DomainSpec domain = MustLoad(R"(domain: shop
on_backend_error: allow
descriptors:
  - {key: a, rate_limit: {unit: minute, requests_per_unit: 1, refundable: true}}
  - key: b
    rate_limit: {unit: minute, requests_per_unit: 1, on_backend_error: local}
)");
  EXPECT_EQ(domain.nodes[0].rule->on_backend_error, OnBackendError::kAllow);
  EXPECT_TRUE(domain.nodes[0].rule->refundable);
  EXPECT_EQ(domain.nodes[1].rule->on_backend_error, OnBackendError::kLocal);
  EXPECT_FALSE(domain.nodes[1].rule->refundable);
}

TEST(TierFormatTest, OnBackendErrorOfTheFileIsTheDefaultOfItsTiers) {
  const DomainSpec domain = MustLoad(R"(rate_limit:
  default_rps: 1
  on_backend_error: deny
  user_tiers: {free: {rps: 1}, pro: {rps: 2, on_backend_error: allow}}
)");
  EXPECT_EQ(domain.tiers->default_rule.on_backend_error, OnBackendError::kDeny);
  EXPECT_EQ(domain.tiers->tiers[0].on_backend_error, OnBackendError::kDeny);
  EXPECT_EQ(domain.tiers->tiers[1].on_backend_error, OnBackendError::kAllow);
}

TEST(DescriptorFormatTest, ReadsNestedDescriptors) {
  const DomainSpec domain = MustLoad(R"(domain: shop
descriptors:
  - key: user
    value: alice
    shadow_mode: true
    rate_limit: {unit: Minute, requests_per_unit: 010, name: a,
                 replaces: [{name: b}], message: slow down,
                 on_backend_error: deny}
    descriptors:
      - key: path
        value: 007
        rate_limit: {unlimited: true}
)");
  EXPECT_EQ(domain.name, "shop");
  const RuleNode& user = domain.nodes.at(0);
  EXPECT_EQ(user.value, "alice");
  EXPECT_EQ(user.rule->path, "user_alice");
  EXPECT_TRUE(user.rule->shadow);
  EXPECT_EQ(user.rule->policy.limit, 8);  // YAML 1.1: octal
  EXPECT_EQ(user.rule->policy.window, absl::Minutes(1));
  EXPECT_EQ(user.rule->replaces.at(0), "b");
  EXPECT_EQ(user.rule->message, "slow down");
  EXPECT_EQ(user.rule->on_backend_error, OnBackendError::kDeny);
  const RuleNode& path = user.children.at(0);
  EXPECT_EQ(path.value, "007");  // as in the file
  EXPECT_EQ(path.rule->path, "user_alice.path_007");
  EXPECT_TRUE(path.rule->unlimited);
}

TEST(DescriptorFormatTest, ReadsWindowsAndAlgorithms) {
  EXPECT_EQ(PolicyOf("unit: WEEK").window, absl::Hours(24 * 7));
  EXPECT_EQ(PolicyOf("unit: month").window, absl::Hours(24 * 30));
  EXPECT_EQ(PolicyOf("window: 1h30m").window, absl::Minutes(90));
  EXPECT_EQ(PolicyOf("window: 2d").window, absl::Hours(48));
  const Policy calendar =
      PolicyOf("calendar: week, timezone: Europe/Berlin, burst: 3");
  EXPECT_EQ(calendar.calendar, Calendar::kWeek);
  EXPECT_EQ(calendar.zone.name(), "Europe/Berlin");
  EXPECT_EQ(calendar.burst, 3);
  EXPECT_EQ(PolicyOf("unit: day, burst_mode: upfront").burst_mode,
            BurstMode::kUpfront);
  EXPECT_EQ(PolicyOf("unit: day, algorithm: token_bucket").algorithm,
            Algorithm::kTokenBucket);
}

TEST(DescriptorFormatTest, RefusesInvalidLimits) {
  const std::pair<const char*, const char*> cases[] = {
      {"requests_per_unit: 5", "found no window"},
      {"unit: minutes", "unit: found \"minutes\""},
      {"unit: minute, window: 5m", "unit and window cannot be combined"},
      {"unit: minute, calendar: day", "calendar and unit cannot be combined"},
      {"window: 10", "expected whole seconds"},
      {"window: 500ms", "expected whole seconds"},
      {"window: 400d", "expected whole seconds"},
      {"unit: day, requests_per_unit: -1", "from 0 to 4294967295"},
      {"unit: day, requests_per_unit: 4294967296", "from 0 to 4294967295"},
      {"unit: day, requests_per_unit: 5.0", "whole number"},
      {"unit: day, requests_per_unit: \"5\"", "whole number"},
      {"unit: day, algorithm: fixed_windw", "did you mean \"fixed_window\"?"},
      {"unit: day, algorithm: sliding_window, burst: 1",
       "burst cannot be combined with algorithm sliding_window"},
      {"calendar: day, algorithm: token_bucket",
       "requires algorithm fixed_window"},
      {"unit: day, timezone: UTC", "timezone requires a calendar window"},
      {"calendar: day, timezone: Mars/Olympus", "IANA"},
      {"unlimited: true, unit: day", "unit cannot be combined with unlimited"},
      {"unlimited: true, burst: 1", "burst cannot be combined with unlimited"},
      {"unlimited: \"true\"", "expected true or false"},
      {"unit: day, name: a, replaces: [{name: a}]", "cannot replace itself"},
      {"unit: day, replaces: [a]", "replaces: found \"a\", expected a map"},
      {"unit: day, requests_per_unti: 1",
       "did you mean \"requests_per_unit\"?"},
  };
  for (const auto& [limit, text] : cases) {
    EXPECT_THAT(LimitErrors(limit), HasSubstr(text)) << limit;
    EXPECT_THAT(LimitErrors(limit), HasSubstr("f.yaml:4: ")) << limit;
  }
}

// As in YAML 1.1, a map's own keys take precedence, then the first merged map.
TEST(DescriptorFormatTest, MergesMapsWithAnchors) {
  const DomainSpec domain = MustLoad(R"(domain: d
descriptors:
  - key: a
    rate_limit: &a {unit: hour, requests_per_unit: 1, name: a}
  - key: b
    rate_limit: &b {requests_per_unit: 2, <<: *a}
  - key: c
    rate_limit: {<<: [*b, *a], name: c}
)");
  const Rule& b = *domain.nodes[1].rule;
  EXPECT_EQ(b.policy.limit, 2);
  EXPECT_EQ(b.policy.window, absl::Hours(1));
  EXPECT_EQ(b.name, "a");
  const Rule& c = *domain.nodes[2].rule;
  EXPECT_EQ(c.policy.limit, 2);
  EXPECT_EQ(c.name, "c");
  EXPECT_EQ(ErrorsOf("domain: d\n<<: 3\n"),
            "f.yaml:2: <<: found \"3\", expected a map, or a list of maps, to "
            "merge");
  EXPECT_THAT(ErrorsOf("domain: d\n\"<<\": {}\n"), HasSubstr("unknown key"));
}

// The value may contain any bytes. Dynamic metadata contains the path, and a
// gateway may copy it into a header.
TEST(DescriptorFormatTest, ThePathOfARuleHasNoControlCharacters) {
  const DomainSpec domain = MustLoad(R"(domain: d
descriptors:
  - key: a
    value: "x\r\ny\0"
    rate_limit: {unit: hour}
)");
  EXPECT_EQ(domain.nodes[0].value, std::string("x\r\ny\0", 5));
  EXPECT_EQ(domain.nodes[0].rule->path, "a_x\\x0d\\x0ay\\x00");
}

TEST(DescriptorFormatTest, AKeyMayBeMarkedSecretOrPublic) {
  const DomainSpec domain = MustLoad(R"(domain: d
descriptors:
  - {key: plan, secret: true}
  - {key: token, public: true}
  - {key: path}
)");
  EXPECT_EQ(domain.nodes[0].secret, true);
  EXPECT_EQ(domain.nodes[1].secret, false);
  EXPECT_EQ(domain.nodes[2].secret, std::nullopt);
  EXPECT_THAT(ErrorsOf("domain: d\ndescriptors:\n"
                       "- {key: a, secret: true, public: true}\n"),
              HasSubstr("f.yaml:3: public and secret cannot be combined"));
}

// Metrics, logs and /rlconfig show the path.
TEST(DescriptorFormatTest, ThePathOfARuleHasNoSecretValue) {
  const DomainSpec domain = MustLoad(R"(domain: d
descriptors:
  - {key: api_key, value: sk-1, rate_limit: {unit: day}}
  - {key: plan, value: sk-1, secret: true, rate_limit: {unit: day}}
  - {key: token, value: sk-1, public: true, rate_limit: {unit: day}}
)");
  EXPECT_EQ(domain.nodes[0].value, "sk-1");
  const std::string hash = "sha256:" + Sha256Hex("sk-1").substr(0, 12);
  EXPECT_EQ(domain.nodes[0].rule->path, "api_key_" + hash);
  EXPECT_EQ(domain.nodes[1].rule->path, "plan_" + hash);
  EXPECT_EQ(domain.nodes[2].rule->path, "token_sk-1");
  EXPECT_THAT(ErrorsOf("domain: d\ndescriptors:\n- {key: jwt, value: sk-1}\n"
                       "- {key: jwt, value: sk-1}\n"),
              testing::Not(HasSubstr("sk-1")));
}

TEST(DescriptorFormatTest, ReportsAnErrorInAModeWithoutALimit) {
  EXPECT_EQ(ErrorsOf("domain: d\ndescriptors:\n- key: a\n"
                     "  shadow_mode: maybe\n  quota_mode: \"true\"\n"),
            "f.yaml:4: shadow_mode: found \"maybe\", expected true or false\n"
            "f.yaml:5: quota_mode: found \"true\", expected true or false, "
            "without quotes");
}

TEST(DescriptorFormatTest, ReadsTheKeysOfStatistics) {
  const DomainSpec domain = MustLoad(R"(domain: shop
descriptors:
  - {key: a, detailed_metric: true}
  - {key: b, value_to_metric: true}
  - {key: c, detailed_metric: false, value_to_metric: false}
)");
  EXPECT_TRUE(domain.nodes[0].detailed_metric);
  EXPECT_FALSE(domain.nodes[0].value_to_metric);
  EXPECT_FALSE(domain.nodes[1].detailed_metric);
  EXPECT_TRUE(domain.nodes[1].value_to_metric);
  EXPECT_FALSE(domain.nodes[2].detailed_metric);
  EXPECT_FALSE(domain.nodes[2].value_to_metric);
}

TEST(DescriptorFormatTest, RefusesBadDescriptors) {
  const std::pair<const char*, const char*> cases[] = {
      {"- value: x", "f.yaml:3: a descriptor without key"},
      {"- key: a\n- key: a", "f.yaml:4: a descriptor with key \"a\""},
      {"- key: [a]", "key: found a list, expected text"},
      {"- a", "a descriptor: found \"a\", expected a map"},
      {"- key: a\n  share_threshold: true", "needs a * in value"},
      {"- key: a\n  detailed_metric: \"true\"",
       "f.yaml:4: detailed_metric: found \"true\", expected true or false"},
      {"- key: a\n  value_to_metric: 1",
       "f.yaml:4: value_to_metric: found \"1\", expected true or false"},
      {"- key: a\n  descriptors: {}", "descriptors: found a map"},
  };
  for (const auto& [descriptors, text] : cases) {
    EXPECT_THAT(
        ErrorsOf(absl::StrCat("domain: d\ndescriptors:\n", descriptors, "\n")),
        HasSubstr(text));
  }
}

TEST(DescriptorFormatTest, NestsToTheAllowedDepthAndNoDeeper) {
  const auto nested = [](int depth) {
    std::string yaml = "domain: d\n";
    for (int level = 0; level < depth; ++level) {
      const std::string indent(static_cast<size_t>(level) * 2, ' ');
      absl::StrAppend(&yaml, indent, "descriptors:\n", indent, "- key: k\n");
    }
    return yaml;
  };
  EXPECT_EQ(ErrorsOf(nested(kMaxRuleDepth)), "");
  EXPECT_THAT(ErrorsOf(nested(kMaxRuleDepth + 1)), HasSubstr("deeper than"));
}

TEST(TierFormatTest, ReadsTheRecipe) {
  Variables().clear();  // the value with ${OPENAI_API_KEY} is unused
  const LoadedFile file = Load(kRecipe);
  ASSERT_TRUE(file.domain.has_value()) << ErrorsOf(kRecipe);
  EXPECT_EQ(file.domain->name, "default");
  const TierSpec& tiers = *file.domain->tiers;
  EXPECT_EQ(tiers.default_rule.policy.limit, 10);
  EXPECT_EQ(tiers.default_rule.message,
            "Rate limit exceeded. Default: 10 req/min");
  EXPECT_EQ(tiers.tiers.at(0).message,
            "Rate limit exceeded. Free tier: 5 req/min");
  EXPECT_EQ(tiers.tiers.at(0).policy.burst, 2);
  EXPECT_EQ(tiers.tiers.at(0).policy.burst_mode, BurstMode::kEarned);
  EXPECT_EQ(tiers.assignments.at("user-456"), 1u);
  EXPECT_EQ(tiers.identity.at(1).strip_prefix, "Bearer ");
  EXPECT_EQ(file.tiers->tiers, (std::vector<std::string>{"free", "pro"}));
  EXPECT_EQ(file.tiers->assignments.at(0).second, "free");
}

TEST(TierFormatTest, ReportsEveryErrorWithItsLineAndTheNearestWord) {
  EXPECT_EQ(ErrorsOf("rate_limit:\n"
                     "  default_rsp: 10\n"
                     "  user_tiers:\n"
                     "    free: {rps: x, brust: 1}\n"
                     "  user_assignments: {ann: {tier: fre}}\n"
                     "  enforce: rejekt\n"),
            "f.yaml:2: unknown key \"default_rsp\" in rate_limit; did you "
            "mean \"default_rps\"?\n"
            "f.yaml:2: rate_limit: found no default_rps, expected the "
            "requests per minute of users without a tier\n"
            "f.yaml:4: unknown key \"brust\" in tier \"free\"; did you mean "
            "\"burst\"?\n"
            "f.yaml:4: rps: found \"x\", expected a whole number from 0 to "
            "4294967295\n"
            "f.yaml:5: tier \"fre\" is not in user_tiers; did you mean "
            "\"free\"?\n"
            "f.yaml:6: enforce: found \"rejekt\", expected reject, queue, "
            "degrade; did you mean \"reject\"?");
}

TEST(TierFormatTest, ExpandsVariablesWhereTheyAreUsed) {
  const std::string yaml =
      "rate_limit:\n  default_rps: $MOST\n  domain: a-${NAME}\n";
  Variables() = {{"NAME", "x: [y"}};
  EXPECT_THAT(ErrorsOf(yaml), HasSubstr("default_rps: found \"$MOST\""));
  EXPECT_EQ(MustLoad("rate_limit: {default_rps: 1, domain: 'a-${NAME}'}").name,
            "a-x: [y");
  EXPECT_THAT(ErrorsOf("rate_limit: {default_rps: '${NONE}'}"),
              HasSubstr("default_rps"));
  EXPECT_THAT(ErrorsOf("rate_limit:\n  default_rps: 1\n  domain: ${NONE}\n"),
              HasSubstr("f.yaml:3: environment variable \"NONE\" is not set"));
}

TEST(TierFormatTest, DisabledHasNoDomainAndNoError) {
  const LoadedFile file =
      Load("rate_limit: {enabled: false, default_rps: 1}\n");
  EXPECT_FALSE(file.domain.has_value());
  EXPECT_TRUE(file.errors.empty());
}

TEST(LoadTest, BothFormatsMayNameTheRedis) {
  Variables() = {{"PASSWORD", "secret"}};
  const std::string redis = "redis: redis://:${PASSWORD}@host:6379\n";
  for (const char* rest : {"domain: a\n", "rate_limit: {default_rps: 1}\n"}) {
    const LoadedFile file = Load(rest + redis);
    EXPECT_TRUE(file.errors.empty());
    EXPECT_EQ(file.redis.url, "redis://:secret@host:6379");
    EXPECT_EQ(file.redis.origin, "f.yaml:2");
  }
}

TEST(LoadTest, AnInvalidRedisUrlIsNotShown) {
  for (const char* redis : {"redis: |\n  redis://:secret@host\n", "redis: ''\n",
                            "redis: [secret]\n"}) {
    const std::string errors = ErrorsOf(absl::StrCat("domain: a\n", redis));
    EXPECT_THAT(errors, HasSubstr("f.yaml:2: redis: "));
    EXPECT_THAT(errors, testing::Not(HasSubstr("secret")));
  }
}

TEST(LoadTest, TwoFilesMayNotNameTwoRedises) {
  RedisPlace all;
  std::vector<ConfigError> errors;
  MergeRedis({.url = "redis://a", .origin = "a.yaml:1"}, all, errors);
  MergeRedis({}, all, errors);
  MergeRedis({.url = "redis://a", .origin = "b.yaml:1"}, all, errors);
  EXPECT_TRUE(errors.empty());
  MergeRedis({.url = "redis://b", .origin = "c.yaml:3"}, all, errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].ToString(),
            "c.yaml:3: redis: found another place than in a.yaml:1, expected "
            "the same in all files");
}

TEST(LoadTest, RefusesTextThatIsNoConfiguration) {
  constexpr char kEmpty[] =
      "f.yaml:1: the file is empty, expected a map with domain or rate_limit";
  EXPECT_EQ(ErrorsOf(""), kEmpty);
  EXPECT_EQ(ErrorsOf("# nothing\n"), kEmpty);
  EXPECT_THAT(ErrorsOf("a: [1, 2"), HasSubstr("f.yaml:1: "));
  EXPECT_THAT(ErrorsOf("- a\n"), HasSubstr("expected a map"));
  EXPECT_THAT(ErrorsOf("limits: 3\n"), HasSubstr("neither domain"));
  EXPECT_THAT(ErrorsOf("domain: a\nrate_limit: {}\n"),
              HasSubstr("of two formats"));
  EXPECT_THAT(ErrorsOf("domain: a\ndescriptors: # \xff\n"),
              HasSubstr("f.yaml:2: found bytes that are not UTF-8"));
  EXPECT_THAT(ErrorsOf(std::string("\ndomain: a\0b\n", 13)),
              HasSubstr("f.yaml:2: found bytes that are not UTF-8, or a NUL"));
  for (const char* tab : {"domain: a\ndescriptors:\n\t- key: a\n",
                          "domain: a\ndescriptors:\n  \t- key: a\n"}) {
    EXPECT_THAT(ErrorsOf(tab), HasSubstr("f.yaml:3: "));
    EXPECT_THAT(ErrorsOf(tab), HasSubstr("found a tab, expected spaces"));
  }
  EXPECT_EQ(ErrorsOf("providers: {}\nrate_limit:\n"),
            "f.yaml:2: rate_limit: found nothing, expected a map");
  EXPECT_THAT(ErrorsOf("domain: \"a\\nb\"\n"),
              HasSubstr("without control characters"));
}

TEST(LoadTest, SuggestsACorrectionForAMisspelledTopLevelKey) {
  EXPECT_EQ(ErrorsOf("models: {}\nrate_limt: {default_rps: 5}\n"),
            "f.yaml:2: unknown key \"rate_limt\" in the file; did you mean "
            "\"rate_limit\"?");
  EXPECT_THAT(ErrorsOf("domian: a\n"), HasSubstr("did you mean \"domain\"?"));
}

TEST(TierFormatTest, ReportsAnEmptyValueOnItsOwnLine) {
  EXPECT_EQ(ErrorsOf("rate_limit:\n  default_rps: 1\n  user_tiers:\n"
                     "    free:\n  user_assignments:\n    bob:\n"),
            "f.yaml:4: tier \"free\": found nothing, expected a map\n"
            "f.yaml:6: user \"bob\": found nothing, expected a tier");
}

TEST(LoadTest, FindsTheLineOfADomain) {
  EXPECT_EQ(Load("# a\ndomain: a\n").domain_line, 2);
  EXPECT_EQ(Load("# a\n\nrate_limit: {default_rps: 1}\n").domain_line, 3);
  const LoadedFile file = Load("rate_limit:\n  default_rps: 1\n  domain: b\n");
  EXPECT_EQ(
      DomainTwice(file.domain_name,
                  {.origin = "b.yaml", .line = file.domain_line}, "a.yaml")
          .ToString(),
      "b.yaml:3: domain \"b\" is in a.yaml too, expected one file for "
      "it");
}

TEST(LoadTest, AManifestGetsAHint) {
  EXPECT_EQ(ErrorsOf("apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n"
                     "    domain: d\n"),
            "f.yaml:1: found a Kubernetes manifest, expected rules; give what "
            "is under data: of the ConfigMap");
}

TEST(LoadTest, BoundsAliasesAndNesting) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&bomb, "*a", i - 1, ", ");
    absl::StrAppend(&bomb, "]\n");
  }
  EXPECT_THAT(ErrorsOf(bomb + "domain: d\n"), HasSubstr("aliases"));
  EXPECT_NE(ErrorsOf("domain: d\ndescriptors: &a [*a]\n"), "");
  EXPECT_EQ(ErrorsOf(std::string(100'000, '[')),
            "f.yaml:1: nested deeper than 64 levels");
  EXPECT_NE(ErrorsOf("domain: d\ndescriptors: [&a {key: k, <<: *a}]\n"), "");
  EXPECT_NE(ErrorsOf("domain: " + std::string(200, '[')), "");
}

}  // namespace
}  // namespace rls
