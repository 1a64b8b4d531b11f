// Replays the corpus of every fuzz target, which includes the inputs of fixed
// bugs. A target ends the process if an expectation does not hold.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include "fuzz/targets.h"

namespace rls {
namespace {

struct Target {
  const char* corpus;
  void (*feed)(const uint8_t* bytes, size_t size);

  friend void PrintTo(const Target& target, std::ostream* out) {
    *out << target.corpus;
  }
};

constexpr Target kTargets[] = {
    {"config", FuzzConfig},
    {"counter_store", FuzzCounterStore},
    {"forward_auth", FuzzForwardAuth},
    {"grpc_words", FuzzGrpcWords},
    {"h2_session", FuzzH2Session},
    {"h2_streams", FuzzH2Streams},
    {"http_request", FuzzHttpRequest},
    {"inflate", FuzzInflate},
    {"json", FuzzJson},
    {"redis_reply", FuzzRedisReply},
    {"request", FuzzRequest},
    {"rules", FuzzRules},
    {"script_reply", FuzzScriptReply},
    {"tier_reply", FuzzTierReply},
    {"trace_headers", FuzzTraceHeaders},
};

std::vector<std::string> Corpus(const std::filesystem::path& folder) {
  std::vector<std::string> corpus;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in),
                        std::istreambuf_iterator<char>());
  }
  return corpus;
}

void Feed(const Target& target, const std::string& input) {
  target.feed(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

class FuzzReplayTest : public ::testing::TestWithParam<Target> {
 protected:
  static std::vector<std::string> Inputs() {
    return Corpus(std::filesystem::path(RLS_CORPUS) / GetParam().corpus);
  }
};

TEST_P(FuzzReplayTest, EveryInputOfTheCorpusKeepsTheExpectations) {
  const std::vector<std::string> inputs = Inputs();
  ASSERT_FALSE(inputs.empty());
  for (const std::string& input : inputs) Feed(GetParam(), input);
}

TEST_P(FuzzReplayTest, InputsThatEndEarlyKeepTheExpectations) {
  Feed(GetParam(), "");
  constexpr size_t kEnds = 16;  // of each input
  for (const std::string& input : Inputs()) {
    const size_t step = input.size() / kEnds + 1;
    for (size_t size = 0; size < input.size(); size += step) {
      Feed(GetParam(), input.substr(0, size));
    }
  }
}

TEST(FuzzCorpusTest, EveryFolderHasATarget) {
  for (const auto& folder : std::filesystem::directory_iterator(RLS_CORPUS)) {
    const std::string name = folder.path().filename();
    EXPECT_TRUE(std::any_of(
        std::begin(kTargets), std::end(kTargets),
        [&](const Target& target) { return name == target.corpus; }))
        << name;
  }
}

TEST(FuzzCorpusTest, IsSmall) {
  constexpr size_t kMostInputs = 50;  // of each target
  constexpr size_t kMostBytes = 2'048;
  for (const Target& target : kTargets) {
    const auto inputs =
        Corpus(std::filesystem::path(RLS_CORPUS) / target.corpus);
    EXPECT_LE(inputs.size(), kMostInputs) << target.corpus;
    for (const std::string& input : inputs) {
      EXPECT_LE(input.size(), kMostBytes) << target.corpus;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzReplayTest, ::testing::ValuesIn(kTargets),
                         [](const auto& target) {
                           return std::string(target.param.corpus);
                         });

}  // namespace
}  // namespace rls
