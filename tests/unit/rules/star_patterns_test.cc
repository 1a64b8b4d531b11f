#include "rules/star_patterns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace rls {
namespace {

// Tries every place for every `*`.
bool MatchesNaively(absl::string_view pattern, absl::string_view value) {
  if (pattern.empty()) return value.empty();
  if (pattern[0] != '*') {
    return !value.empty() && value[0] == pattern[0] &&
           MatchesNaively(pattern.substr(1), value.substr(1));
  }
  for (size_t i = 0; i <= value.size(); ++i) {
    if (MatchesNaively(pattern.substr(1), value.substr(i))) return true;
  }
  return false;
}

uint32_t FindNaively(const std::vector<std::string>& patterns,
                     absl::string_view value) {
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (MatchesNaively(patterns[i], value)) return static_cast<uint32_t>(i);
  }
  return StarPatterns::kNone;
}

std::unique_ptr<StarPatterns> Compile(
    const std::vector<std::string>& patterns) {
  auto compiled = std::make_unique<StarPatterns>();
  uint32_t id = 0;
  for (const std::string& pattern : patterns) compiled->Add(pattern, id++);
  compiled->Freeze();
  return compiled;
}

uint32_t Find(const std::vector<std::string>& patterns,
              absl::string_view value) {
  return Compile(patterns)->Find(value);
}

TEST(StarPatternsTest, TheFirstPatternThatMatchesWins) {
  const auto patterns =
      Compile({"/a/*", "*", "*/b/*/c", "/a/x*", "*.png", "/a/*/b/*"});
  EXPECT_EQ(patterns->Find("/a/x"), 0u);
  EXPECT_EQ(patterns->Find("/b/1/c"), 1u);
  EXPECT_EQ(patterns->Find(""), 1u);
  EXPECT_EQ(Find({"*/b/*/c", "*.png", "*"}, "/b/1/c"), 0u);
  EXPECT_EQ(Find({"*/b/*/c", "*.png", "*"}, "x.png"), 1u);
  EXPECT_EQ(Find({"*/b/*/c", "*.png", "a*"}, "b"), StarPatterns::kNone);
}

TEST(StarPatternsTest, PiecesMatchInOrderAndDoNotOverlap) {
  EXPECT_EQ(Find({"*ab*ba*"}, "aba"), StarPatterns::kNone);
  EXPECT_EQ(Find({"*ab*ba*"}, "abba"), 0u);
  EXPECT_EQ(Find({"a*a"}, "a"), StarPatterns::kNone);
  EXPECT_EQ(Find({"a*a"}, "aa"), 0u);
  EXPECT_EQ(Find({"aa*aa*aa"}, "aaaaa"), StarPatterns::kNone);
  EXPECT_EQ(Find({"aa*aa*aa"}, "aaaaaa"), 0u);
  EXPECT_EQ(Find({"*aa*aa*"}, "aaa"), StarPatterns::kNone);
  EXPECT_EQ(Find({"*aa*aa*"}, "xaaxaax"), 0u);
  EXPECT_EQ(Find({"x**y***z"}, "xyz"), 0u);
}

TEST(StarPatternsTest, TakesAnyBytes) {
  const std::string zero("\0", 1);
  EXPECT_EQ(Find({"*" + zero + "\xff*"}, "a" + zero + "\xff"), 0u);
  EXPECT_EQ(Find({"\xff*", "*\x80"}, "a\x80"), 1u);
}

// A differential test. The small alphabet makes pieces overlap.
TEST(StarPatternsTest, FindsTheSameAsANaiveMatcher) {
  std::mt19937 random(1);
  const auto text = [&](absl::string_view alphabet, size_t most) {
    std::string made(random() % (most + 1), ' ');
    for (char& byte : made) byte = alphabet[random() % alphabet.size()];
    return made;
  };
#if defined(RLS_SANITIZED)
  constexpr int kRounds = 2000;
#else
  constexpr int kRounds = 20'000;
#endif
  int found = 0;
  for (int round = 0; round < kRounds; ++round) {
    const absl::string_view letters = round % 2 == 0 ? "ab" : "abc/";
    std::vector<std::string> patterns;
    for (size_t i = random() % 12 + 1; i > 0; --i) {
      std::string pattern = text(absl::StrCat(letters, "**"), 8);
      if (!StarPatterns::IsPattern(pattern)) pattern += "*";
      patterns.push_back(std::move(pattern));
    }
    const auto compiled = Compile(patterns);
    for (int i = 0; i < 10; ++i) {
      const std::string value = text(letters, 14);
      const uint32_t expected = FindNaively(patterns, value);
      found += expected != StarPatterns::kNone ? 1 : 0;
      ASSERT_EQ(compiled->Find(value), expected)
          << "value " << value << " patterns "
          << ::testing::PrintToString(patterns);
    }
  }
  EXPECT_GT(found, kRounds);
}

// Searches of different patterns share the memory of their thread.
TEST(StarPatternsTest, SearchesDoNotDisturbEachOther) {
  const auto small = Compile({"*a*b", "*c"});
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back(absl::StrCat("*", i, "/*.", i));
  const auto large = Compile(many);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(small->Find("xab"), 0u);
    EXPECT_EQ(large->Find(absl::StrCat(i, "/.", i)), static_cast<uint32_t>(i));
    EXPECT_EQ(small->Find("xc"), 1u);
    EXPECT_EQ(small->Find("xa"), StarPatterns::kNone);
  }
}

// A search with a step for each rule at each byte, or for each rule at each
// piece, would not end within the time limit of any test.
TEST(StarPatternsTest, TheCostDoesNotMultiplyRulesByBytes) {
  std::vector<std::string> patterns;
  for (int i = 0; i < 50'000; ++i) {
    patterns.push_back(absl::StrCat("*/aa", i, "/*"));
    patterns.push_back(absl::StrCat("*/aa/*", i));
    patterns.push_back(absl::StrCat("/aa/*", i, "/*"));
  }
  const auto compiled = Compile(patterns);
  std::string value;
  while (value.size() < size_t{63} << 10) value += "/aa";
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(compiled->Find(value), StarPatterns::kNone);
  }
  // `*/aa/*7` is before `*/aa/*17`.
  EXPECT_EQ(compiled->Find(value + "/17"), 22u);
}

}  // namespace
}  // namespace rls
