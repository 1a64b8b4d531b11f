#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread_shard.h"
#include "fake_clock.h"
#include "temp_folder.h"

namespace rls {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TextTest, EscapesControlsAndBrokenUtf8Only) {
  EXPECT_EQ(EscapeControls("a\nb\r\t\x7f"), "a\\x0ab\\x0d\\x09\\x7f");
  EXPECT_EQ(EscapeControls("→ü😀"), "→ü😀");
  EXPECT_EQ(EscapeControls("\xc3"), "\\xc3");
  EXPECT_EQ(EscapeControls("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(EscapeControls("\xc0\x80"), "\\xc0\\x80");           // overlong
  EXPECT_EQ(EscapeControls(absl::string_view("\0", 1)), "\\x00");
}

TEST(TextTest, QuotesAndCutsLongText) {
  EXPECT_EQ(Quoted("a\n"), "\"a\\x0a\"");
  EXPECT_THAT(Quoted(std::string(60'000, 'x')),
              HasSubstr("...\" (60000 bytes)"));
  EXPECT_LT(Quoted(std::string(60'000, 'x')).size(), 120u);
}

TEST(TextTest, FindsTheNearestWordButNoUnrelatedWord) {
  const std::vector<absl::string_view> words = {"burst", "burst_mode", "unit",
                                                "rps"};
  EXPECT_EQ(NearestWord("brust", words), "burst");
  EXPECT_EQ(NearestWord("burst_mod", words), "burst_mode");
  EXPECT_EQ(NearestWord("rsp", words), "");
  EXPECT_EQ(NearestWord("completely", words), "");
  EXPECT_EQ(NearestWord("", words), "");
}

TEST(LogTest, KnowsTheWordsOfLevelsInAnyCase) {
  for (const char* name : {"trace", "DEBUG", "Info", "warn", "warning", "error",
                           "fatal", "panic"}) {
    EXPECT_TRUE(IsLogLevelName(name)) << name;
  }
  EXPECT_FALSE(IsLogLevelName("loud"));
  EXPECT_FALSE(SetLogLevelByName(""));
}

TEST(TextTest, JsonTextEscapesAndReplacesBrokenBytes) {
  EXPECT_EQ(JsonText("a \"b\" \\ c"), R"("a \"b\" \\ c")");
  EXPECT_EQ(JsonText("a\nb\tc\x7f"), R"("a\nb\u0009c\u007f")");
  EXPECT_EQ(JsonText(absl::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(JsonText("Gr\xC3\xB6\xC3"), "\"Gr\xC3\xB6\xEF\xBF\xBD\"");
  EXPECT_EQ(JsonText(""), "\"\"");
}

TEST(LogTest, WritesOneJsonObjectForEachLine) {
  SetLogFormat(LogFormat::kJson);
  ::testing::internal::CaptureStderr();
  LogWarning("found \"x\"\nforged line");
  LogInfo("ok");
  const std::string text = ::testing::internal::GetCapturedStderr();
  SetLogFormat(LogFormat::kText);
  const std::string time = "....-..-..T..:..:..\\....Z\",\"level\":\"";
  EXPECT_THAT(text, ::testing::MatchesRegex(
                        "\\{\"time\":\"" + time +
                        R"(warning","msg":"found \\"x\\"\\nforged line"\})"
                        "\n\\{\"time\":\"" +
                        time + "info\",\"msg\":\"ok\"\\}\n"));
}

class FilesTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  const TempFolder temp_;
  const fs::path& folder_ = temp_.path();
};

TEST_F(FilesTest, ReadsUpToTheMaximumOfBytes) {
  const std::string path = Write("a", "12345");
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(path, 4).status()));
  EXPECT_EQ(*ReadFile(Write("empty", ""), 5), "");
  EXPECT_EQ(ReadFile(Write("big", std::string(1 << 20, 'x')), 2 << 20)->size(),
            size_t{1} << 20);
}

TEST_F(FilesTest, NamesTheReasonWhyAFileCannotBeRead) {
  const auto missing = ReadFile((folder_ / "none").string(), 9).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("none"));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(ReadFile(folder_.string(), 9).status()));
}

// To open a pipe would wait for a writer, and a device may have no end.
TEST_F(FilesTest, ReadsNoPipeSocketOrDevice) {
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string linked = (folder_ / "linked").string();
  fs::create_symlink("/dev/zero", linked);
  for (const std::string& path : {pipe, linked, std::string("/dev/zero")}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(ReadFile(path, 9).status())) << path;
  }
  EXPECT_THAT(*ListFiles(folder_.string()), ElementsAre());
  fs::create_symlink("round", folder_ / "round");
  EXPECT_FALSE(ReadFile((folder_ / "round").string(), 9).ok());
}

TEST_F(FilesTest, ListsABoundedNumberOfFiles) {
  for (size_t i = 0; i < kMaxListedFiles; ++i) {
    std::ofstream(folder_ / std::to_string(i));
  }
  EXPECT_EQ(ListFiles(folder_.string())->size(), kMaxListedFiles);
  Write("more", "");
  EXPECT_TRUE(absl::IsResourceExhausted(ListFiles(folder_.string()).status()));
}

// Each level has the folder below it nine times, so all paths are 10^6.
TEST_F(FilesTest, VisitsABoundedNumberOfEntries) {
  fs::path level = folder_;
  for (int depth = 0; depth < 6; ++depth) {
    fs::create_directory(level / "down");
    for (int i = 1; i < 10; ++i) {
      fs::create_directory_symlink("down", level / std::to_string(i));
    }
    level /= "down";
  }
  const absl::Status status = ListFiles(folder_.string()).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("100000"));
}

TEST_F(FilesTest, ListsRegularFilesSortedWithoutHiddenOnes) {
  const std::string b = Write("b/x.yaml", "");
  const std::string a = Write("a.yaml", "");
  Write(".hidden", "");
  Write("..data/a.yaml", "");
  fs::create_symlink("nowhere", folder_ / "dangling");
  EXPECT_THAT(*ListFiles(folder_.string()), ElementsAre(a, b));
  EXPECT_THAT(*ListFiles(a), ElementsAre(a));
  EXPECT_TRUE(
      absl::IsNotFound(ListFiles((folder_ / "none").string()).status()));
}

TEST_F(FilesTest, AFolderThatLinksToItselfEnds) {
  fs::create_directory_symlink(".", folder_ / "loop");
  EXPECT_FALSE(ListFiles(folder_.string()).ok());
}

TEST(ThreadShardTest, OneThreadPerCoreHasAShardOfItsOwn) {
  std::set<size_t> shards = {ShardOfThisThread()};  // without a claim
  for (size_t i = 1; i < ShardCount(); ++i) {
    std::thread([&shards] {
      EXPECT_EQ(ShardOfThisThread(), 0u);
      ClaimShard();
      EXPECT_LT(ShardOfThisThread(), ShardCount());
      shards.insert(ShardOfThisThread());
    }).join();
  }
  EXPECT_EQ(shards.size(), ShardCount());
}

TEST(LogThrottleTest, WritesOneLineInAnIntervalAndCountsTheOthers) {
  FakeClock clock;
  LogThrottle log(clock, absl::Seconds(5));
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) log.Warn("no Redis");
  clock.Advance(absl::Seconds(5));
  log.Warn("no Redis");
  clock.Advance(absl::Seconds(5));
  log.Warn("still no Redis");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text,
              ::testing::MatchesRegex("[^\n]*no Redis\n"
                                      "[^\n]*no Redis .and 2 more since.\n"
                                      "[^\n]*still no Redis\n"));
}

TEST(LogThrottleTest, WritesUpToItsMaximumOfLinesInAnInterval) {
  FakeClock clock;
  LogThrottle log(clock, absl::Seconds(10), 2);
  ::testing::internal::CaptureStderr();
  log.Info("connected");
  for (int i = 0; i < 4; ++i) log.Warn("lost");
  clock.Advance(absl::Seconds(10));
  log.Info("back");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, ::testing::MatchesRegex("[^\n]*info connected\n"
                                            "[^\n]*warn[^\n]* lost\n"
                                            "[^\n]*back .and 3 more since.\n"));
}

}  // namespace
}  // namespace rls
