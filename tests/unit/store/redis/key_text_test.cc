#include "store/redis/key_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Parts = std::vector<absl::string_view>;

std::string Write(absl::string_view scope, const Parts& parts,
                  size_t tag_part = 1, bool secret = false) {
  return KeyText("", "pepper")
      .Write({.scope = scope,
              .parts = parts,
              .tag_part = tag_part,
              .secret = secret});
}

TEST(KeyTextTest, IsReadable) {
  EXPECT_EQ(Write("default/1m", {"user", "user-123"}),
            "default/1m|user|{user-123}");
  EXPECT_EQ(Write("shop/1h", {"path", "/a b", "user", "bob"}, 3),
            "shop/1h|path|/a%20b|user|{bob}");
  EXPECT_EQ(Write("default/1m", {"anonymous"}), "default/1m|anonymous");
  EXPECT_EQ(KeyText("rl:", "").Write({.scope = "d/1s"}), "rl:d/1s");
}

TEST(KeyTextTest, SpecialBytesAreEscaped) {
  EXPECT_EQ(Write("d", {"k", "a|b{c}d%e#f\"g\\h"}),
            "d|k|{a%7Cb%7Bc%7Dd%25e%23f%22g%5Ch}");
  EXPECT_EQ(Write("d", {"k", absl::string_view("\0\r\n\xff", 4)}),
            "d|k|{%00%0D%0A%FF}");
  EXPECT_EQ(Write("{d}|", {"k", "v"}), "%7Bd%7D%7C|k|{v}");
}

TEST(KeyTextTest, ASecretIsHiddenAndCannotBeGuessedWithoutTheKey) {
  const std::string key =
      Write("d", {"authorization", "Bearer hunter2"}, 1, true);
  EXPECT_THAT(key, Not(HasSubstr("hunter2")));
  EXPECT_THAT(key,
              ::testing::MatchesRegex(R"(d\|authorization\|\{#[0-9a-f]+\})"));
  EXPECT_NE(key, KeyText("", "salt")
                     .Write({.scope = "d",
                             .parts = Parts{"authorization", "Bearer hunter2"},
                             .secret = true}));
  EXPECT_NE(key, Write("d", {"authorization", "Bearer hunter3"}, 1, true));
}

TEST(KeyTextTest, LongValuesAreHashedAndStayDifferent) {
  const std::string one(KeyText::kMaxPartBytes + 1, 'x');
  const std::string other = absl::StrCat(one.substr(1), "y");
  EXPECT_LT(Write("d", {"k", one}).size(), 60u);
  EXPECT_NE(Write("d", {"k", one}), Write("d", {"k", other}));
  const std::string longest(KeyText::kMaxPartBytes, 'x');
  EXPECT_THAT(Write("d", {"k", longest}), HasSubstr(longest));
}

// A value may equal the text of another value. Their keys still differ.
TEST(KeyTextTest, AValueThatLooksLikeAnEncodedValueIsDifferent) {
  const std::string hashed = Write("d", {"k", "v"}, 1, true);
  const std::string digest = hashed.substr(5, hashed.size() - 6);
  EXPECT_NE(Write("d", {"k", digest}), hashed);
  EXPECT_NE(Write("d", {"k", "%20"}), Write("d", {"k", " "}));
  EXPECT_NE(Write("d|k", {"v", "w"}), Write("d", {"k", "v", "w"}));
  EXPECT_NE(Write("d", {"k", "a|b"}, 9), Write("d", {"k", "a", "b"}, 9));
  EXPECT_NE(Write("d", {"k", ""}), Write("d", {"k"}));
}

TEST(KeyTextTest, NoTwoCounterKeysShareAText) {
  std::mt19937 random(17);
  const std::string alphabet("|{}%#/:ab\0\xff\" 0", 14);
  const auto word = [&] {
    std::string text;
    for (size_t n = random() % 4; n > 0; --n) {
      text.push_back(alphabet[random() % alphabet.size()]);
    }
    return text;
  };
  std::map<std::string, std::vector<std::string>> key_of_text;
  for (int i = 0; i < 200'000; ++i) {
    std::vector<std::string> key = {word()};
    for (size_t n = random() % 4; n > 0; --n) key.push_back(word());
    const std::string text =
        Write(key[0], Parts(key.begin() + 1, key.end()), 1);
    const auto [it, added] = key_of_text.emplace(text, key);
    ASSERT_EQ(it->second, key) << text;
  }
}

}  // namespace
}  // namespace rls
