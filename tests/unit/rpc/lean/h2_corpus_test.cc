// Replays the fuzzing corpus, which includes the inputs of fixed bugs, in every
// build.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/h2_session_target.h"

namespace rls {
namespace {

std::vector<std::string> Corpus() {
  std::vector<std::string> corpus;
  for (const auto& file : std::filesystem::directory_iterator(RLS_CORPUS)) {
    std::ifstream in(file.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in),
                        std::istreambuf_iterator<char>());
  }
  return corpus;
}

// The target aborts if a call is lost.
TEST(H2CorpusTest, NoCallIsLostForAnyPortionsAndAnyHandler) {
  const std::vector<std::string> corpus = Corpus();
  ASSERT_GE(corpus.size(), 10u);
  for (std::string input : corpus) {
    for (int variant = 0; variant < 40; ++variant) {
      input[0] = static_cast<char>(variant);
      FeedH2Session(input);
    }
  }
}

TEST(H2CorpusTest, NoCallIsLostIfTheInputEndsEarly) {
  for (const std::string& input : Corpus()) {
    for (size_t size = 0; size < input.size(); ++size) {
      FeedH2Session(absl::string_view(input).substr(0, size));
    }
  }
}

TEST(H2CorpusTest, NoCallIsLostIfAByteChanges) {
  for (std::string input : Corpus()) {
    for (char& byte : input) {
      const char was = byte;
      for (const int change : {0x01, 0x04, 0x20, 0x80, 0xff}) {
        byte = static_cast<char>(was ^ change);
        FeedH2Session(input);
      }
      byte = was;
    }
  }
}

}  // namespace
}  // namespace rls
