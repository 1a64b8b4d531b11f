#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "unit/config/config_manager_fixture.h"

namespace rls {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Files that vanish or become bad, while the server watches them. LoadChanges()
// is the load of the watching thread, Load() that of SIGHUP.
class StaleFilesTest : public ConfigManagerTest {
 protected:
  StaleFilesTest() {
    Write("a.yaml", Limit("a", 1));
    Write("b.yaml", Limit("b", 2));
    EXPECT_TRUE(manager().Load().ok());
  }

  ConfigManager& manager() {
    return manager_ == nullptr ? Manage({folder_}) : *manager_;
  }

  // The log of one load of changes.
  std::string LogOfChanges(bool ok = true) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(manager().LoadChanges().ok(), ok);
    return ::testing::internal::GetCapturedStderr();
  }

  void Remove(const std::string& name) { fs::remove(folder_ / name); }
  void Rename(const std::string& from, const std::string& to) {
    fs::rename(folder_ / from, folder_ / to);
  }

  int Stale(const std::string& reason) {
    const std::string line =
        absl::StrCat("config_stale_domains{reason=\"", reason, "\"} ");
    const std::string text = metrics_->Text();
    const size_t at = text.find(line);
    return at == text.npos ? -1 : std::stoi(text.substr(at + line.size()));
  }
};

// A bug removed all limits of the domain, and counted a success.
TEST_F(StaleFilesTest, AVanishedFileKeepsItsDomain) {
  Remove("b.yaml");
  EXPECT_THAT(
      LogOfChanges(),
      AllOf(HasSubstr("b.yaml has been gone for 0s: domain \"b\" keeps its "
                      "rules until a file contains it or SIGHUP"),
            Not(HasSubstr("removed"))));
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), 2);
  EXPECT_EQ(Stale("gone"), 1);
  EXPECT_THAT(metrics_->Text(),
              AllOf(HasSubstr("loads_total{result=\"success\"} 1"),
                    HasSubstr("loads_total{result=\"incomplete\"} 1")));
}

TEST_F(StaleFilesTest, TheAgeOfAVanishedFileBeginsWhenItVanishes) {
  Remove("b.yaml");
  ASSERT_TRUE(manager().LoadChanges().ok());
  const absl::Time vanished = clock_.Now();
  clock_.Advance(absl::Minutes(3));
  Write("a.yaml", Limit("a", 10));
  EXPECT_THAT(LogOfChanges(), HasSubstr("b.yaml has been gone for 3m"));
  EXPECT_EQ(Active("b"), 2);
  EXPECT_THAT(metrics_->Text(),
              HasSubstr(absl::StrCat("stale_since_timestamp_seconds ",
                                     absl::ToUnixSeconds(vanished))));
}

TEST_F(StaleFilesTest, AFileThatComesBackIsNormal) {
  Remove("b.yaml");
  ASSERT_TRUE(manager().LoadChanges().ok());
  Write("b.yaml", Limit("b", 3));
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 3);
  EXPECT_EQ(Stale("gone"), 0);
  EXPECT_THAT(metrics_->Text(), HasSubstr("stale_since_timestamp_seconds 0"));
}

TEST_F(StaleFilesTest, SighupRemovesTheDomainOfAVanishedFile) {
  Remove("b.yaml");
  ASSERT_TRUE(manager().LoadChanges().ok());
  ASSERT_TRUE(manager().Load().ok());
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), -1);
  EXPECT_EQ(Stale("gone"), 0);
  // The file was removed on purpose, so later loads do not bring it back.
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), -1);
}

TEST_F(StaleFilesTest, AFileWithoutDescriptorsRemovesTheLimitsAtOnce) {
  Write("b.yaml", "domain: b\n");
  ASSERT_TRUE(manager().LoadChanges().ok());
  const auto book = rules_.Get();
  ASSERT_NE(book->Find("b"), nullptr);
  Match match;
  book->Find("b")->Find(std::vector<Entry>{{"a", "x"}}, match);
  EXPECT_EQ(match.rule, nullptr);
  EXPECT_EQ(Stale("gone"), 0);
}

TEST_F(StaleFilesTest, ADisabledFileRemovesItsDomain) {
  Write("b.yaml", "rate_limit: {enabled: false, domain: b, default_rps: 1}\n");
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), -1);
}

// The folder of a ConfigMap, and a file that is now a folder or a dangling
// link.
TEST_F(StaleFilesTest, EveryWayToVanishKeepsTheDomains) {
  Remove("a.yaml");
  fs::create_directory(folder_ / "a.yaml");
  Remove("b.yaml");
  fs::create_symlink("nowhere", folder_ / "b.yaml");
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), 2);
  EXPECT_EQ(Stale("gone"), 2);
}

// A bug removed the domain that the file held before.
TEST_F(StaleFilesTest, ABadFileThatNamesAnotherDomainKeepsItsOwn) {
  Write("b.yaml", "domain: c\ndescriptors: 3\n");
  EXPECT_THAT(LogOfChanges(/*ok=*/false),
              AllOf(HasSubstr("b.yaml:2: descriptors: found \"3\""),
                    HasSubstr("domain \"b\" keeps its last good rules")));
  EXPECT_EQ(Active("b"), 2);
  EXPECT_EQ(Active("c"), -1);
  EXPECT_EQ(Stale("bad"), 1);
  EXPECT_FALSE(manager().Load().ok());
  EXPECT_EQ(Active("b"), 2);
}

// A mistake in `domain` of format 2 gives the file the domain "default".
TEST_F(StaleFilesTest, ABadFileOfTheOtherFormatKeepsTheDomain) {
  Write("b.yaml", "rate_limit: {domian: b, default_rps: 1}\n");
  EXPECT_FALSE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 2);
  Write("b.yaml", "rate_limit: {domain: b}\n");
  EXPECT_FALSE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 2);
}

TEST_F(StaleFilesTest, ABadFileThatVanishesKeepsTheDomain) {
  Write("b.yaml", "][");
  EXPECT_FALSE(manager().LoadChanges().ok());
  Remove("b.yaml");
  EXPECT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 2);
  EXPECT_EQ(Stale("bad"), 0);
  EXPECT_EQ(Stale("gone"), 1);
}

TEST_F(StaleFilesTest, ADomainMovesToALaterOrAnEarlierFile) {
  Rename("b.yaml", "c.yaml");
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 2);
  EXPECT_EQ(Stale("gone"), 0);
  Rename("c.yaml", "0.yaml");
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 2);
  EXPECT_EQ(Stale("gone"), 0);
  // The new file owns the domain, so its removal counts.
  Remove("0.yaml");
  ASSERT_TRUE(manager().Load().ok());
  EXPECT_EQ(Active("b"), -1);
}

TEST_F(StaleFilesTest, TwoFilesSwapTheirDomains) {
  Write("a.yaml", Limit("b", 20));
  Write("b.yaml", Limit("a", 10));
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("a"), 10);
  EXPECT_EQ(Active("b"), 20);
}

TEST_F(StaleFilesTest, ASwapWithAMistakeKeepsBothDomains) {
  Write("a.yaml", Limit("b", 20));
  Write("b.yaml", "domain: a\ndescriptors: 3\n");
  EXPECT_FALSE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), 20);
  EXPECT_FALSE(manager().Load().ok());
  EXPECT_EQ(Active("a"), 1);
}

// The copy comes first, and the old file is removed later.
TEST_F(StaleFilesTest, AMoveInTwoStepsEndsWithTheNewFile) {
  for (const char* name : {"c.yaml", "0.yaml"}) {
    Write(name, Limit("b", 5));
    EXPECT_FALSE(manager().LoadChanges().ok()) << name;
    EXPECT_GT(Active("b"), 0);
    Remove("b.yaml");
    ASSERT_TRUE(manager().LoadChanges().ok()) << name;
    EXPECT_EQ(Active("b"), 5);
    Rename(name, "b.yaml");
    ASSERT_TRUE(manager().LoadChanges().ok());
  }
}

TEST_F(StaleFilesTest, AFileThatRepeatsADomainKeepsItsOwn) {
  Write("b.yaml", Limit("a", 7));
  EXPECT_FALSE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), 2);
}

TEST_F(StaleFilesTest, AGoodFileMayRenameItsDomain) {
  Write("b.yaml", Limit("c", 3));
  ASSERT_TRUE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), -1);
  EXPECT_EQ(Active("c"), 3);
}

TEST_F(StaleFilesTest, ARenamedFileWithAMistakeKeepsItsDomain) {
  Remove("b.yaml");
  Write("c.yaml", "domain: b\ndescriptors: 3\n");
  EXPECT_FALSE(manager().LoadChanges().ok());
  EXPECT_EQ(Active("b"), 2);
  EXPECT_FALSE(manager().Load().ok());
  EXPECT_EQ(Active("b"), 2);
}

TEST_F(StaleFilesTest, TheWatchingThreadKeepsTheDomainOfAVanishedFile) {
  manager().StartWatching(absl::Milliseconds(10));
  Remove("b.yaml");
  Write("a.yaml", Limit("a", 9));
  EXPECT_TRUE(Becomes("a", 9));
  EXPECT_EQ(Active("b"), 2);
  manager().RequestLoad();
  EXPECT_TRUE(Becomes("b", -1));
}

}  // namespace
}  // namespace rls
