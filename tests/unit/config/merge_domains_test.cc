// MERGE_DOMAIN_CONFIG: several files contain one domain.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "unit/config/config_manager_fixture.h"

namespace rls {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MergeDomainsTest : public ConfigManagerTest {
 protected:
  MergeDomainsTest() { merge_domains_ = true; }

  static std::string Rule(const std::string& key, int limit,
                          const std::string& top = "") {
    return absl::StrCat(
        "domain: d\n", top, "descriptors:\n- key: ", key,
        "\n  rate_limit: {unit: day, requests_per_unit: ", limit, "}\n");
  }

  // The limit of a key of domain d, -1 if there is none.
  int64_t Limit(const std::string& key) {
    const auto book = rules_.Get();
    const Domain* found = book->Find("d");
    if (found == nullptr) return -1;
    Match match;
    found->Find(std::vector<Entry>{{key, "x"}}, match);
    return match.rule == nullptr ? -1 : match.rule->policy.limit;
  }

  std::string Error() {
    const absl::Status status = manager_->LoadChanges();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }

  std::string LogOfChanges() {
    ::testing::internal::CaptureStderr();
    manager_->LoadChanges().IgnoreError();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(MergeDomainsTest, TheFilesOfADomainArePutTogether) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  Write("c.yaml", "domain: other\n");
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  EXPECT_EQ(Limit("a"), 1);
  EXPECT_EQ(Limit("b"), 2);
  Write("b.yaml", Rule("b", 3));
  EXPECT_TRUE(manager_->LoadChanges().ok());
  EXPECT_EQ(Limit("a"), 1);
  EXPECT_EQ(Limit("b"), 3);
}

TEST_F(MergeDomainsTest, WithoutTheSettingTheSecondFileIsAnError) {
  merge_domains_ = false;
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  EXPECT_THAT(std::string(Manage({folder_}).Load().message()),
              HasSubstr("domain \"d\" is in "));
}

TEST_F(MergeDomainsTest, AnUnchangedDomainIsNotCompiledAgain) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  const auto before = rules_.Get()->domains.at("d");
  Write("c.yaml", "domain: other\n");
  EXPECT_THAT(LogOfChanges(), AllOf(HasSubstr("domain \"other\" added"),
                                    Not(HasSubstr("\"d\""))));
  EXPECT_EQ(rules_.Get()->domains.at("d"), before);
}

TEST_F(MergeDomainsTest, EqualDescriptorsClashAndBothPlacesAreNamed) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", absl::StrCat(Rule("b", 2), "- {key: a}\n"));
  const std::string error(Manage({folder_}).Load().message());
  EXPECT_THAT(error, HasSubstr("b.yaml:5: a descriptor with key \"a\""));
  EXPECT_THAT(error, HasSubstr("a.yaml:3"));
}

TEST_F(MergeDomainsTest, AClashOfALaterLoadKeepsTheWholeDomain) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  Write("a.yaml", Rule("b", 9));
  EXPECT_THAT(Error(), HasSubstr("is already in "));
  EXPECT_EQ(Limit("a"), 1);
  EXPECT_EQ(Limit("b"), 2);
}

TEST_F(MergeDomainsTest, OneBadFileKeepsTheLastGoodRulesOfTheWholeDomain) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  Write("c.yaml", Rule("c", 3));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  Write("a.yaml", Rule("a", 10));
  for (const char* bad : {"domain: d\ndescriptors: 5\n", "no: [yaml"}) {
    Write("b.yaml", bad);
    EXPECT_THAT(LogOfChanges(),
                HasSubstr("b.yaml has been bad for 0s: domain \"d\" keeps its "
                          "last good rules"));
    EXPECT_EQ(Limit("a"), 1);
    EXPECT_EQ(Limit("b"), 2);
    EXPECT_EQ(Limit("c"), 3);
  }
  Write("b.yaml", Rule("b", 20));
  EXPECT_TRUE(manager_->LoadChanges().ok());
  EXPECT_EQ(Limit("a"), 10);
  EXPECT_EQ(Limit("b"), 20);
  EXPECT_EQ(Limit("c"), 3);
}

TEST_F(MergeDomainsTest, AnotherDomainIsNotHeldUp) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  Write("o.yaml", ConfigManagerTest::Limit("o", 1));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  Write("b.yaml", "domain: d\ndescriptors: 5\n");
  Write("o.yaml", ConfigManagerTest::Limit("o", 2));
  EXPECT_FALSE(manager_->LoadChanges().ok());
  EXPECT_EQ(Active("o"), 2);
}

TEST_F(MergeDomainsTest, AVanishedFileNoLongerContributes) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  std::filesystem::rename(folder_ / "b.yaml", folder_ / "renamed.yaml");
  EXPECT_TRUE(manager_->LoadChanges().ok());
  EXPECT_EQ(Limit("b"), 2);
  std::filesystem::remove(folder_ / "renamed.yaml");
  EXPECT_TRUE(manager_->LoadChanges().ok());
  EXPECT_EQ(Limit("a"), 1);
  EXPECT_EQ(Limit("b"), -1);
}

TEST_F(MergeDomainsTest, TheLastVanishedFilesKeepTheirDomain) {
  Write("a.yaml", Rule("a", 1));
  Write("b.yaml", Rule("b", 2));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  std::filesystem::remove(folder_ / "a.yaml");
  std::filesystem::remove(folder_ / "b.yaml");
  EXPECT_TRUE(manager_->LoadChanges().ok());
  EXPECT_EQ(Limit("a"), 1);
  EXPECT_EQ(Limit("b"), 2);
  EXPECT_TRUE(manager_->Load().ok());
  EXPECT_EQ(Limit("a"), -1);
}

TEST_F(MergeDomainsTest, TheFilesOfADomainHaveOneAccounting) {
  Write("a.yaml", Rule("a", 1, "accounting: independent\n"));
  Write("b.yaml", Rule("b", 2));
  EXPECT_THAT(std::string(Manage({folder_}).Load().message()),
              HasSubstr("b.yaml:1: accounting: found another than in "));
}

TEST_F(MergeDomainsTest, AFolderWithoutRulesIsAWarningAndAMetric) {
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(Manage({folder_}).Load().ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("warning no domain is loaded, so every request "
                              "passes"),
                    HasSubstr(folder_.string())));
  EXPECT_THAT(metrics_->Text(), HasSubstr("ratelimitd_config_domains 0\n"));
  Write("a.yaml", Rule("a", 1));
  EXPECT_THAT(LogOfChanges(), Not(HasSubstr("no domain is loaded")));
  EXPECT_THAT(metrics_->Text(), HasSubstr("ratelimitd_config_domains 1\n"));
}

}  // namespace
}  // namespace rls
