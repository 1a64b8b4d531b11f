#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kDegrade[] = R"(
models:
  gpt-4: {provider: openai, cost: 0.03}
  gpt-3.5-turbo: {provider: openai, cost: 0.002}
  gpt-4o: {provider: openai}
rate_limit:
  default_rps: 10
  enforce: degrade
)";

TEST(DegradeFormatTest, DegradesToTheCheapestModelByDefault) {
  const DomainSpec domain = MustLoad(absl::StrCat(kDegrade, R"(
  degrade:
    model_key: llm
    header: X-Cheaper
    model_header: x-llm
    limit: {rps: 20, window_seconds: 10}
  user_tiers:
    free: {rps: 5}
    pro: {rps: 50, degrade_to: {gpt-4: gpt-4o}}
)"));
  const DegradeRule& all = *domain.tiers->default_rule.degrade;
  EXPECT_EQ(all.cheapest, "gpt-3.5-turbo");
  EXPECT_EQ(all.model_key, "llm");
  EXPECT_EQ(all.flag_header, "x-cheaper");
  EXPECT_EQ(all.model_header, "x-llm");
  EXPECT_EQ(all.limit->limit, 20);
  EXPECT_EQ(all.limit->window, absl::Seconds(10));
  EXPECT_EQ(domain.tiers->tiers.at(0).degrade->ModelFor("gpt-4"),
            "gpt-3.5-turbo");
  const DegradeRule& pro = *domain.tiers->tiers.at(1).degrade;
  EXPECT_EQ(pro.ModelFor("gpt-4"), "gpt-4o");
  EXPECT_EQ(pro.ModelFor("gpt-4o"), "gpt-3.5-turbo");
  EXPECT_EQ(pro.ModelFor("gpt-3.5-turbo"), std::nullopt);
}

TEST(DegradeFormatTest, DegradeToReplacesTheCostsOfModels) {
  const std::string start =
      "rate_limit:\n  default_rps: 1\n  enforce: degrade\n";
  const DomainSpec domain = MustLoad(start + "  degrade_to: {a: c, b: c}\n");
  const DegradeRule& one = *domain.tiers->default_rule.degrade;
  EXPECT_EQ(one.ModelFor("a"), "c");
  EXPECT_EQ(one.ModelFor("unknown"), "c");
  EXPECT_EQ(one.ModelFor(""), "c");
  const DomainSpec several = MustLoad(start + "  degrade_to: {a: b, b: c}\n");
  const DegradeRule& rule = *several.tiers->default_rule.degrade;
  EXPECT_EQ(rule.ModelFor(""), "");
  EXPECT_EQ(rule.ModelFor("c"), std::nullopt);
}

TEST(DegradeFormatTest, RefusesToDegradeToNothing) {
  EXPECT_THAT(ErrorsOf("rate_limit:\n  default_rps: 1\n  enforce: degrade\n"
                       "models: {a: {provider: p}}\n"),
              HasSubstr("f.yaml:3: enforce: degrade: found no cheaper model "
                        "for users without a tier, expected degrade_to"));
  EXPECT_THAT(ErrorsOf(absl::StrCat(kDegrade, "  degrade_to: {gpt-4: gtp-4o}")),
              HasSubstr("f.yaml:9: model \"gtp-4o\" is not in models; did you "
                        "mean \"gpt-4o\"?"));
  EXPECT_THAT(
      ErrorsOf(absl::StrCat(kDegrade, "  degrade: {header: 'a b'}")),
      HasSubstr("header: found \"a b\", expected the name of a header"));
  EXPECT_THAT(ErrorsOf("models: {a: {cost: -1}}\nrate_limit:\n"
                       "  default_rps: 1\n  enforce: degrade\n"),
              HasSubstr("f.yaml:1: cost: found \"-1\", expected a number"));
}

}  // namespace
}  // namespace rls
