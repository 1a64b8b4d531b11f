#include "config/config_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fake_clock.h"
#include "temp_folder.h"
#include "unit/fake_tier_source.h"

namespace rls {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ConfigManagerTest : public ::testing::Test {
 protected:
  ~ConfigManagerTest() override { manager_.reset(); }

  std::string Write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  static std::string Limit(const std::string& domain, int limit) {
    return absl::StrCat("domain: ", domain,
                        "\ndescriptors:\n- key: a\n  rate_limit: {unit: day, "
                        "requests_per_unit: ",
                        limit, "}\n");
  }

  ConfigManager& Manage(std::vector<std::string> paths) {
    manager_ = NewConfigManager(
        {.paths = std::move(paths),
         .environment = [](const std::string&) { return std::nullopt; },
         .rules = rules_,
         .metrics = *metrics_,
         .clock = clock_,
         .tier_sources = &tier_sources_});
    return *manager_;
  }

  // The limit that is active for a domain, -1 for none.
  int64_t Active(const std::string& domain) {
    const auto book = rules_.Get();
    const Domain* found = book->Find(domain);
    if (found == nullptr) return -1;
    Match match;
    found->Find(std::vector<Entry>{{"a", "x"}}, match);
    return match.rule->policy.limit;
  }

  bool Becomes(const std::string& domain, int64_t limit) {
    const absl::Time end = absl::Now() + absl::Minutes(1);
    while (Active(domain) != limit) {
      if (absl::Now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  const TempFolder temp_;
  const fs::path& folder_ = temp_.path();
  FakeClock clock_;
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  FakeTierSources tier_sources_;
  RuleBookHolder rules_;
  std::unique_ptr<ConfigManager> manager_;
};

TEST_F(ConfigManagerTest, LoadsAFolderOfDomainsAndLeavesDotFilesOut) {
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

TEST_F(ConfigManagerTest, ABadReloadCostsOnlyItsOwnDomain) {
  Write("a.yaml", Limit("a", 1));
  Write("b.yaml", Limit("b", 2));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  Write("a.yaml", Limit("a", 10));
  Write("b.yaml", "domain: b\ndescriptors: 3\n");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 10);
  EXPECT_EQ(Active("b"), 2);
  // Not even the domain's name can be read any more.
  Write("b.yaml", "][");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("b"), 2);
  EXPECT_THAT(metrics_->Text(), HasSubstr("{result=\"failure\"} 2"));
  Write("b.yaml", Limit("b", 3));
  EXPECT_TRUE(manager.Load().ok());
  EXPECT_EQ(Active("b"), 3);
}

// It was taken for a file that says `enabled: false`, and its domain went.
TEST_F(ConfigManagerTest, AFileThatCannotBeReadKeepsItsDomain) {
  Write("a.yaml", Limit("a", 1));
  const std::string path = Write("b.yaml", Limit("b", 2));
  ConfigManager& manager = Manage({(folder_ / "a.yaml").string(), path});
  ASSERT_TRUE(manager.Load().ok());
  Write("a.yaml", Limit("a", 10));
  // Larger than any configuration, and no byte of it on the disk.
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

TEST_F(ConfigManagerTest, TwoFilesOfOneDomainAreAMistakeOfTheLater) {
  const std::string first = Write("a.yaml", Limit("a", 1));
  const std::string later = Write("b.yaml", Limit("a", 2));
  EXPECT_EQ(Manage({folder_}).Load().message(),
            absl::StrCat(later, ":1: domain \"a\" is in ", first,
                         " too, expected one file for it"));
}

TEST_F(ConfigManagerTest, ARemovedFileTakesItsDomainAlong) {
  Write("a.yaml", Limit("a", 1));
  const std::string gone = Write("b.yaml", Limit("b", 2));
  ConfigManager& manager = Manage({folder_});
  ASSERT_TRUE(manager.Load().ok());
  fs::remove(gone);
  ASSERT_TRUE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 1);
  EXPECT_EQ(Active("b"), -1);
}

TEST_F(ConfigManagerTest, AVanishedFolderKeepsTheLastGoodRules) {
  Write("c/a.yaml", Limit("a", 1));
  ConfigManager& manager = Manage({folder_ / "c"});
  ASSERT_TRUE(manager.Load().ok());
  fs::remove_all(folder_ / "c");
  EXPECT_FALSE(manager.Load().ok());
  EXPECT_EQ(Active("a"), 1);
}

TEST_F(ConfigManagerTest, AnEmptyFolderIsAValidConfiguration) {
  EXPECT_TRUE(Manage({folder_}).Load().ok());
  EXPECT_TRUE(rules_.Get()->loaded);
}

TEST_F(ConfigManagerTest, TheHashTellsWhichContentIsActive) {
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

TEST_F(ConfigManagerTest, TheHashIsOfWhatIsActiveAndNotOfWhatIsBad) {
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
  // The good file is taken up beside the bad one.
  Write("a.yaml", Limit("a", 2));
  EXPECT_FALSE(manager.Load().ok());
  const std::string second = active();
  EXPECT_NE(second, first);
  Write("b.yaml", Limit("b", 1));
  EXPECT_TRUE(manager.Load().ok());
  EXPECT_EQ(active(), second);
}

TEST_F(ConfigManagerTest, TheLogSaysWhatHasChangedAndNothingElse) {
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

TEST_F(ConfigManagerTest, TheLogTellsAChangedLimitOfTokens) {
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

// What is known of the files below was lost with the folder.
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

TEST_F(ConfigManagerTest, AFileThatIsWrittenAllTheTimeHoldsUpNoOther) {
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
  // As long as the clock of the file system needs to move on.
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
