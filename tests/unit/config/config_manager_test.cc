#include "config/config_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "config/reload.h"
#include "unit/config/config_manager_fixture.h"

namespace rls {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ConfigManagerTest, LoadsAFolderOfDomainsWithoutDotFiles) {
  Write("a.yaml", Limit("a", 1));
  Write("sub/b.yml", Limit("b", 2));
  Write(".hidden.yaml", "nonsense");
  Write("..data/a.yaml", Limit("a", 1));
  ASSERT_TRUE(Manage({folder_}).Load().ok());
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), 2);
}

TEST_F(ConfigManagerTest, ABadFirstLoadPublishesNothing) {
  Write("a.yaml", Limit("a", 1));
  const std::string bad = Write("b.yaml", "domain: b\ndescriptors: 3\n");
  const absl::Status status = Manage({folder_}).Load();
  EXPECT_THAT(std::string(status.message()), HasSubstr(bad + ":2: "));
  EXPECT_FALSE(rules_.Get()->loaded);
}

TEST_F(ConfigManagerTest, ABadReloadAffectsOnlyItsOwnDomain) {
  Write("a.yaml", Limit("a", 1));
  Write("b.yaml", Limit("b", 2));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  Write("a.yaml", Limit("a", 10));
  Write("b.yaml", "domain: b\ndescriptors: 3\n");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 10);
  EXPECT_EQ(Active("b"), 2);
  // Now even the domain's name is unreadable.
  Write("b.yaml", "][");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("b"), 2);
  EXPECT_THAT(metrics_->Text(), HasSubstr("{result=\"failure\"} 2"));
  Write("b.yaml", Limit("b", 3));
  EXPECT_TRUE(manager.Load().ok());
  EXPECT_EQ(Active("b"), 3);
}

// A bug treated this file like a file with `enabled: false` and removed its
// domain.
TEST_F(ConfigManagerTest, AFileThatCannotBeReadKeepsItsDomain) {
  Write("a.yaml", Limit("a", 1));
  const std::string path = Write("b.yaml", Limit("b", 2));
  ConfigManager& manager = Manage({(folder_ / "a.yaml").string(), path});
  ASSERT_TRUE(manager.Load().ok());
  Write("a.yaml", Limit("a", 10));
  // Larger than any configuration, but a sparse file, which uses no disk space.
  fs::resize_file(path, kMaxConfigBytes + 1);
  EXPECT_EQ(manager.Load().message(),
            absl::StrCat(path, ": larger than ", kMaxConfigBytes, " bytes"));
  EXPECT_EQ(Active("a"), 10);
  EXPECT_EQ(Active("b"), 2);
  fs::remove(path);
  fs::create_symlink(folder_ / "nowhere", path);
  EXPECT_EQ(manager.Load().message(), path + ": no such file or folder");
  EXPECT_EQ(Active("b"), 2);
}

TEST_F(ConfigManagerTest, TwoFilesOfOneDomainAreAnErrorOfTheLater) {
  const std::string first = Write("a.yaml", Limit("a", 1));
  const std::string later = Write("b.yaml", Limit("a", 2));
  EXPECT_EQ(Manage({folder_}).Load().message(),
            absl::StrCat(later, ":1: domain \"a\" is in ", first,
                         " too, expected one file for it"));
}

TEST_F(ConfigManagerTest, AVanishedFolderKeepsTheLastGoodRules) {
  Write("c/a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_ / "c"});
  ASSERT_TRUE(manager.Load().ok());
  fs::remove_all(folder_ / "c");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 1);
}

// Counted in all paths: a process reads no more than this.
TEST_F(ConfigManagerTest, FilesThatAreTooLargeTogetherKeepTheirDomains) {
  const std::string path = Write("z.yaml", Limit("z", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  constexpr size_t kFile = 60 << 20;
  for (size_t i = 0; i <= kMaxAllConfigBytes / kFile; ++i) {
    const std::string other = Write(absl::StrCat("a", i, ".yaml"), "");
    fs::resize_file(other, kFile);
  }
  EXPECT_THAT(std::string(manager.Load().message()),
              HasSubstr(path + ": with the files before it larger than"));
  EXPECT_EQ(Active("z"), 1);
}

TEST_F(ConfigManagerTest, AFolderOfTooManyFilesKeepsAllDomains) {
  const std::string path = Write("a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  fs::create_directory_symlink(".", folder_ / "x");
  fs::create_directory_symlink(".", folder_ / "y");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 1);
}

TEST_F(ConfigManagerTest, AnAbandonedLoadPublishesNothing) {
  Write("a.yaml", Limit("a", 1));
  Write("b.yaml", Limit("b", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  Write("a.yaml", Limit("a", 2));
  Write("b.yaml", "rate_limit: {domain: \"${NAME}\", default_rps: 1}\n");
  environment_ = [&manager](const std::string&) {
    manager.Stop();
    return "b";
  };
  EXPECT_TRUE(absl::IsCancelled(manager.Load()));
  EXPECT_EQ(Active("a"), 1);
  EXPECT_TRUE(absl::IsCancelled(manager.Load()));
  EXPECT_THAT(metrics_->Text(), HasSubstr("{result=\"failure\"} 0"));
}

TEST_F(ConfigManagerTest, ARequestedLoadRunsOnTheWatchingThread) {
  const std::string path = Write("a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  manager.StartWatching(absl::Hours(24));
  Write("a.yaml", Limit("a", 2));
  manager.RequestLoad();
  EXPECT_TRUE(Becomes("a", 2));
}

// A request that ends must not spend its time on destroying a large book.
TEST_F(ConfigManagerTest, TheManagerHoldsABookLongerThanItsRequests) {
  Write("a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  auto request = rules_.Get();
  const std::weak_ptr<const Domain> domain = request->domains.at("a");
  Write("a.yaml", Limit("a", 2));
  ASSERT_TRUE(manager.Load().ok());
  request.reset();
  EXPECT_FALSE(domain.expired());
  Write("a.yaml", Limit("a", 3));
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_TRUE(domain.expired());
}

TEST_F(ConfigManagerTest, TheLogHasABoundedNumberOfErrors) {
  Write("a.yaml", "domain: a\n");
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  for (size_t i = 0; i < kMaxLoggedLines + 5; ++i) {
    Write(absl::StrCat("b", i, ".yaml"), "][");
  }
  const std::string text(manager.Load().message());
  EXPECT_THAT(text, HasSubstr("\nand 5 more"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), kMaxLoggedLines);
}

TEST_F(ConfigManagerTest, AnEmptyFolderIsAValidConfiguration) {
  EXPECT_TRUE(Manage({folder_}).Load().ok());
  EXPECT_TRUE(rules_.Get()->loaded);
}

TEST_F(ConfigManagerTest, TheHashIdentifiesTheActiveContent) {
  Write("a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_THAT(metrics_->Text(),
              ::testing::ContainsRegex("config_info.hash=\"[0-9a-f]+\". 1"));
  Write("a.yaml", Limit("a", 2));
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_THAT(metrics_->Text(),
              ::testing::ContainsRegex("config_info.hash=\"[0-9a-f]+\". 0"));
}

TEST_F(ConfigManagerTest, TheHashCoversActiveFilesAndNoBadFiles) {
  const auto active = [this] {
    const std::string text = metrics_->Text();
    std::smatch match;
    const std::regex line("config_info\\{hash=\"([0-9a-f]+)\"\\} 1");
    return std::regex_search(text, match, line) ? match[1].str() : "none";
  };
  Write("a.yaml", Limit("a", 1));
  Write("b.yaml", Limit("b", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  const std::string first = active();
  EXPECT_NE(first, "none");
  Write("b.yaml", "][");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(active(), first);
  // The good file is loaded although the other file is bad.
  Write("a.yaml", Limit("a", 2));
  EXPECT_FALSE(manager.Load().ok());
  const std::string second = active();
  EXPECT_NE(second, first);
  Write("b.yaml", Limit("b", 1));
  EXPECT_TRUE(manager.Load().ok());
  EXPECT_EQ(active(), second);
}

TEST_F(ConfigManagerTest, TheLogNamesOnlyChanges) {
  Write("a.yaml", Limit("a", 1));
  Write("b.yaml", Limit("b", 1));
  Write("c.yaml", "domain: c\n");
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  Write("b.yaml", Limit("b", 2));
  Write("c.yaml", Limit("c", 3));
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(manager.Load().ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("domain \"b\" reloaded: 1 rules, 0 added, 0 "
                             "removed, 1 changed; a: 1 per 24h fixed_window "
                             "-> 2 per 24h fixed_window\n"));
  EXPECT_THAT(log, HasSubstr("domain \"c\" reloaded: 1 rules, 1 added, 0 "
                             "removed, 0 changed\n"));
  EXPECT_THAT(log, Not(HasSubstr("domain \"a\"")));
}

// Also if files are merged, where each load reads all files.
TEST_F(ConfigManagerTest, TheLogNamesIgnoredPartsOfChangedFiles) {
  for (const bool merge : {false, true}) {
    merge_domains_ = merge;
    Write("a.yaml", Limit("a", 1) + "---\n");
    Write("b.yaml", Limit("b", 1));
    ConfigManager& manager = Manage({folder_});
    const auto log_of_load = [&] {
      ::testing::internal::CaptureStderr();
      EXPECT_TRUE(manager.Load().ok());
      return ::testing::internal::GetCapturedStderr();
    };
    EXPECT_THAT(log_of_load(), HasSubstr("a.yaml:5: the text from here"));
    Write("b.yaml", Limit("b", 2) + "...\nx: 1\n");
    const std::string log = log_of_load();
    EXPECT_THAT(log, HasSubstr("b.yaml:5: the text from here"));
    EXPECT_THAT(log, Not(HasSubstr("a.yaml:")));
  }
}

TEST_F(ConfigManagerTest, TheLogShowsAChangedLimitOfTokens) {
  const auto tier = [](int tokens, const char* reserve) {
    return absl::StrCat(
        "rate_limit:\n  default_rps: 1\n  user_tiers:\n    pro:\n", reserve,
        "      limits: [{requests: 5, per: 1m}, {tokens: ", tokens,
        ", per: 1m}]\n");
  };
  Write("a.yaml", tier(100, ""));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  const auto log_of = [&](const std::string& text) {
    Write("a.yaml", text);
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(manager.Load().ok());
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log_of(tier(200, "")),
              HasSubstr("3 rules, 0 added, 0 removed, 1 changed; tier pro "
                        "tokens/1m: 100 tokens per 1m fixed_window -> 200 "
                        "tokens per 1m fixed_window\n"));
  EXPECT_THAT(log_of(tier(200, "      reserve: estimated\n")),
              HasSubstr("1 changed; tier pro tokens/1m: 200 tokens per 1m "
                        "fixed_window -> 200 tokens per 1m fixed_window "
                        "reserve\n"));
}

// A bug lost the domains of the files together with their folder.
TEST_F(ConfigManagerTest, AFolderThatComesBackBadKeepsTheLastGoodRules) {
  Write("c/a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_ / "c"});
  ASSERT_TRUE(manager.Load().ok());
  fs::rename(folder_ / "c", folder_ / "d");
  EXPECT_FALSE(manager.Load().ok());
  fs::rename(folder_ / "d", folder_ / "c");
  Write("c/a.yaml", "][");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 1);
}

TEST_F(ConfigManagerTest, AReloadKeepsTheTierSourceUntilItsDescriptionChanges) {
  const std::string head =
      "rate_limit:\n  default_rps: 10\n  user_tier_source: ";
  const std::string tail = "/{user_id}\n";
  Write("a.yaml", head + "http://one" + tail);
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  const auto source = [this] {
    return rules_.Get()->Find("default")->tier_source();
  };
  const TierSource* const first = source();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(tier_sources_.last_domain, "default");
  Write("a.yaml", head + "http://one" + tail + "# a comment\n");
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_EQ(source(), first);
  Write("a.yaml", head + "http://two" + tail);
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_NE(source(), first);
  EXPECT_EQ(tier_sources_.last_spec.url, "http://two/{user_id}");
  Write("a.yaml", "rate_limit:\n  default_rps: 10\n");
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_EQ(source(), nullptr);
}

TEST_F(ConfigManagerTest, WatchingSeesAnEditARenameAndASwappedLink) {
  Write("..1/a.yaml", Limit("a", 1));
  Write("..2/a.yaml", Limit("a", 2));
  fs::create_directory_symlink("..1", folder_ / "..data");
  fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
  Write("b.yaml", Limit("b", 1));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  manager.StartWatching(absl::Milliseconds(10));

  fs::create_directory_symlink("..2", folder_ / "..next");
  fs::rename(folder_ / "..next", folder_ / "..data");
  EXPECT_TRUE(Becomes("a", 2));
  Write("b.yaml", Limit("b", 22));
  EXPECT_TRUE(Becomes("b", 22));
  Write(".b.tmp", Limit("b", 333));
  fs::rename(folder_ / ".b.tmp", folder_ / "b.yaml");
  EXPECT_TRUE(Becomes("b", 333));
}

TEST_F(ConfigManagerTest, AFileThatAlwaysChangesDoesNotDelayOthers) {
  Write("a.yaml", Limit("a", 1));
  Write("notes.yaml", "domain: notes\n");
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  Write("a.yaml", Limit("a", 2));
  manager.StartWatching(absl::Milliseconds(10));
  std::string notes = "domain: notes\n";
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (Active("a") != 2 && absl::Now() < end) {
    Write("notes.yaml", notes += "#");
  }
  EXPECT_EQ(Active("a"), 2);
}

TEST_F(ConfigManagerTest, WatchingSeesAnEditThatSetsTheTimeBack) {
  const std::string path = Write("a.yaml", Limit("a", 1));
  const auto written = fs::last_write_time(path);
  ConfigManager& manager = Manage({path});
  ASSERT_TRUE(manager.Load().ok());
  // Wait until the file system's clock advances.
  const std::string other = (folder_ / "other").string();
  do {
    std::ofstream(other) << "x";
  } while (fs::last_write_time(other) == written);
  Write("a.yaml", Limit("a", 2));
  fs::last_write_time(path, written);
  manager.StartWatching(absl::Milliseconds(10));
  EXPECT_TRUE(Becomes("a", 2));
}

}  // namespace
}  // namespace rls
