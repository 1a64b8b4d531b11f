#include "admin/config_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "metrics/metrics.h"

namespace rls {
namespace {

using Json = nlohmann::json;

class ConfigPageTest : public ::testing::Test {
 protected:
  void AddDomain(const std::string& name) {
    DomainSpec spec{.name = name, .nodes = {{.key = "k", .rule = Rule{}}}};
    spec.nodes[0].rule->path = "k";
    spec.nodes[0].rule->policy.limit = 5;
    book_.domains.emplace(name, *CompileDomain(spec, *metrics_));
  }

  Json Page() const { return Json::parse(ConfigPage(book_)); }

  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  RuleBook book_;
};

TEST_F(ConfigPageTest, BeforeTheFirstConfigurationOnlyTheSourceIsKnown) {
  book_.origin = {.source = "xds", .places = {"config:18001"}};
  EXPECT_EQ(Page(), Json::parse(R"({"source": "xds",
      "places": ["config:18001"], "version": "", "hash": "", "loaded": null,
      "domains": []})"));
}

TEST_F(ConfigPageTest, EachDomainHasItsPartsAndRules) {
  book_.loaded = true;
  book_.origin = {.source = "files",
                  .places = {"/rules"},
                  .hash = "abc",
                  .loaded = absl::FromUnixSeconds(0),
                  .domains = {{"b", {{"/rules/b.yaml", "def", "bad"}}}}};
  AddDomain("b");
  AddDomain("a");
  const Json page = Page();
  EXPECT_EQ(page["loaded"], "1970-01-01T00:00:00+00:00");
  EXPECT_FALSE(page.contains("version"));
  ASSERT_EQ(page["domains"].size(), 2u);
  EXPECT_EQ(page["domains"][0]["domain"], "a");
  EXPECT_EQ(page["domains"][0]["from"], Json::array());
  EXPECT_EQ(page["domains"][1]["from"], Json::parse(R"([
      {"place": "/rules/b.yaml", "hash": "def", "state": "bad"}])"));
  EXPECT_EQ(page["domains"][1]["rules"],
            Json::array({"b.k: limit=5 window=1m, algorithm=fixed_window, "
                         "shadow_mode: false, quota_mode: false"}));
}

TEST_F(ConfigPageTest, NamesThatAreNotUtf8AreShownAllTheSame) {
  book_.origin.source = "\xff";
  EXPECT_EQ(Page()["source"], "\xef\xbf\xbd");
}

}  // namespace
}  // namespace rls
