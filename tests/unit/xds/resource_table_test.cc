#include "xds/resource_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "unit/xds/ads_server.h"

namespace rls {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class ResourceTableTest : public testing::Test {
 protected:
  ReceivedResource Of(const RateLimitConfig& config) {
    bytes_.push_back(config.SerializeAsString());
    return {.name = config.name(), .version = "v", .bytes = bytes_.back()};
  }

  // The resources as a response of state of the world has them: without a name
  // beside the bytes. Returns the texts of the errors.
  std::vector<std::string> Replace(
      const std::vector<RateLimitConfig>& configs) {
    std::vector<ReceivedResource> resources;
    for (const RateLimitConfig& config : configs) {
      resources.push_back(Of(config));
      resources.back().name.clear();
    }
    return Texts(table_.Replace(resources));
  }

  static std::vector<std::string> Texts(const std::vector<XdsError>& errors) {
    std::vector<std::string> texts;
    for (const XdsError& error : errors) texts.push_back(error.ToString());
    return texts;
  }

  // "domain resource limit" of the rules in force.
  std::vector<std::string> InForce() const {
    std::vector<std::string> lines;
    for (const XdsDomain& domain : table_.Domains()) {
      lines.push_back(absl::StrCat(domain.spec->name, " ", domain.resource, " ",
                                   domain.spec->nodes[0].rule->policy.limit));
    }
    return lines;
  }

  std::deque<std::string> bytes_;
  ResourceTable table_;
};

TEST_F(ResourceTableTest, AResponseReplacesAllResources) {
  EXPECT_THAT(Replace({OneLimit("b", "y", 2), OneLimit("a", "x", 1)}),
              IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x a 1", "y b 2"));
  EXPECT_THAT(Replace({OneLimit("c", "z", 3)}), IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("z c 3"));
  EXPECT_THAT(Replace({}), IsEmpty());
  EXPECT_THAT(InForce(), IsEmpty());
}

TEST_F(ResourceTableTest, AnUnchangedResourceKeepsItsObject) {
  Replace({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  const auto before = table_.Domains();
  Replace({OneLimit("b", "y", 3), OneLimit("a", "x", 1)});
  const auto after = table_.Domains();
  EXPECT_EQ(before[0].spec, after[0].spec);
  EXPECT_EQ(before[0].digest, after[0].digest);
  EXPECT_NE(before[1].spec, after[1].spec);
  EXPECT_NE(before[1].digest, after[1].digest);
}

TEST_F(ResourceTableTest, ABadResourceKeepsItsLastGoodRules) {
  Replace({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(
        Replace({BadUnit("a", "x"), OneLimit("b", "y", 3), BadUnit("c", "z")}),
        ElementsAre(HasSubstr("resource \"a\": descriptor \"user\": unit"),
                    HasSubstr("resource \"c\": descriptor \"user\": unit")));
    EXPECT_THAT(InForce(), ElementsAre("x a 1", "y b 3"));
  }
  EXPECT_THAT(Replace({OneLimit("a", "x", 9), OneLimit("b", "y", 3)}),
              IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x a 9", "y b 3"));
}

TEST_F(ResourceTableTest, ABadResourceIsKnownByItsDomainIfItHasNoName) {
  Replace({OneLimit("", "x", 1), OneLimit("", "y", 2)});
  EXPECT_THAT(Replace({BadUnit("", "x")}),
              ElementsAre(HasSubstr("resource \"x\": ")));
  EXPECT_THAT(InForce(), ElementsAre("x x 1"));
}

TEST_F(ResourceTableTest, AnUnreadableResourceMayBeAnyOfThoseBefore) {
  Replace({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  EXPECT_THAT(Texts(table_.Replace(
                  {{.name = "", .bytes = "\xff"}, Of(OneLimit("b", "y", 3))})),
              ElementsAre("a resource without a name: not a valid "
                          "RateLimitConfig message"));
  EXPECT_THAT(InForce(), ElementsAre("x a 1", "y b 3"));
}

TEST_F(ResourceTableTest, ADomainStaysWithTheResourceThatHasIt) {
  Replace({OneLimit("b", "x", 1)});
  for (const bool first : {true, false}) {
    const auto a = OneLimit("a", "x", 2);
    const auto b = OneLimit("b", "x", 3);
    EXPECT_THAT(
        Replace(first ? std::vector{a, b} : std::vector{b, a}),
        ElementsAre(
            "resource \"a\": domain \"x\" is already in resource \"b\""));
    EXPECT_THAT(InForce(), ElementsAre("x b 3"));
  }
  EXPECT_THAT(Replace({OneLimit("a", "x", 2)}), IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x a 2"));
}

// The order in a response is random, so it must not decide.
TEST_F(ResourceTableTest, OfTwoNewResourcesTheFirstByNameGetsTheDomain) {
  Replace({OneLimit("b", "x", 1), OneLimit("a", "x", 2)});
  EXPECT_THAT(InForce(), ElementsAre("x a 2"));
}

TEST_F(ResourceTableTest, LastGoodRulesGiveWayToGoodOnes) {
  Replace({OneLimit("a", "x", 1)});
  Replace({BadUnit("a", "x"), OneLimit("b", "x", 2)});
  EXPECT_THAT(InForce(), ElementsAre("x b 2"));
}

TEST_F(ResourceTableTest, AResourceThatLosesItsNewDomainKeepsItsFormerOne) {
  Replace({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  EXPECT_THAT(Replace({OneLimit("a", "y", 3), OneLimit("b", "y", 4)}),
              ElementsAre(HasSubstr("already in resource \"b\"")));
  EXPECT_THAT(InForce(), ElementsAre("x a 1", "y b 4"));
}

TEST_F(ResourceTableTest, TwoResourcesCanExchangeTheirDomains) {
  Replace({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  EXPECT_THAT(Replace({OneLimit("a", "y", 3), OneLimit("b", "x", 4)}),
              IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x b 4", "y a 3"));
}

TEST_F(ResourceTableTest, TheSameResourceTwiceIsAnError) {
  EXPECT_THAT(Replace({OneLimit("a", "x", 1), OneLimit("a", "x", 2)}),
              ElementsAre("resource \"a\": is twice in the response"));
  EXPECT_THAT(InForce(), ElementsAre("x a 1"));
}

TEST_F(ResourceTableTest, AnUpdateChangesOnlyItsResources) {
  EXPECT_THAT(
      table_.Update({Of(OneLimit("a", "x", 1)), Of(OneLimit("b", "y", 2)),
                     Of(OneLimit("c", "z", 3))},
                    {}),
      IsEmpty());
  EXPECT_THAT(table_.Update({Of(OneLimit("b", "y", 4))}, {"a", "unknown"}),
              IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("y b 4", "z c 3"));
}

TEST_F(ResourceTableTest, ABadUpdateIsAnErrorOnce) {
  table_.Update({Of(OneLimit("a", "x", 1)), Of(OneLimit("b", "y", 2))}, {});
  EXPECT_THAT(Texts(table_.Update({Of(BadUnit("a", "x"))}, {})),
              ElementsAre(HasSubstr("resource \"a\": ")));
  EXPECT_THAT(table_.Versions(), ElementsAre(Pair("a", "v"), Pair("b", "v")));
  EXPECT_THAT(table_.Update({Of(OneLimit("b", "y", 3))}, {}), IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x a 1", "y b 3"));
}

TEST_F(ResourceTableTest, ADomainIsTakenOverWhenItsResourceIsRemoved) {
  table_.Update({Of(OneLimit("a", "x", 1)), Of(OneLimit("b", "x", 2))}, {});
  EXPECT_THAT(InForce(), ElementsAre("x a 1"));
  EXPECT_THAT(table_.Update({}, {"a"}), IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x b 2"));
}

}  // namespace
}  // namespace rls
