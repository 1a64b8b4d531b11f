#include "tiers/http_words.h"

#include <gtest/gtest.h>

namespace rls {
namespace {

constexpr char kPattern[] = "https://h/t/{user_id}?u={user_id}";

TEST(UserUrlTest, UnreservedBytesStayAndAllOtherBytesAreEncoded) {
  const std::string kept = "abcxyzABCXYZ0189-._~";
  EXPECT_EQ(UserUrl("http://h/{user_id}", kept), "http://h/" + kept);
  EXPECT_EQ(UserUrl(kPattern, "a b"), "https://h/t/a%20b?u=a%20b");
  EXPECT_EQ(UserUrl("{user_id}", "a/b?c#d&e=f%00@[]{user_id}"),
            "a%2Fb%3Fc%23d%26e%3Df%2500%40%5B%5D%7Buser_id%7D");
  EXPECT_EQ(UserUrl("{user_id}", "\xC3\xBC\xFF"), "%C3%BC%FF");
}

TEST(UserUrlTest, AUserThatAnotherServerCouldMisreadIsNeverSent) {
  using std::string_literals::operator""s;
  for (const std::string& user :
       {""s, "."s, ".."s, "../"s, "../admin"s, "a/../b"s, "a/.."s, "./a"s,
        "..\\a"s, "a\r\nX: y"s, "a\0b"s, "\x7F"s, "tab\there"s}) {
    EXPECT_EQ(UserUrl(kPattern, user), std::nullopt) << user;
  }
  for (const std::string& user : {"..."s, "a..b"s, ".hidden"s, "a/.b"s}) {
    EXPECT_NE(UserUrl(kPattern, user), std::nullopt) << user;
  }
}

TEST(UserUrlTest, ALongUserIsNeverSent) {
  EXPECT_NE(UserUrl(kPattern, std::string(kMaxUserBytes, 'x')), std::nullopt);
  for (const size_t bytes : {kMaxUserBytes + 1, size_t{64} << 10}) {
    EXPECT_EQ(UserUrl(kPattern, std::string(bytes, 'x')), std::nullopt);
  }
}

TEST(TierBodyTest, JsonNamesTheTier) {
  EXPECT_EQ(*ReadTierBody(R"({"tier": "pro"})"), "pro");
  EXPECT_EQ(*ReadTierBody(" \n{\"plan\": {\"tier\": 1}, \"tier\": \"pro\"}\n"),
            "pro");
  EXPECT_EQ(*ReadTierBody(R"("pro")"), "pro");
  EXPECT_EQ(*ReadTierBody(R"({"tier": "z\u00fcrich"})"), "z\xC3\xBCrich");
}

TEST(TierBodyTest, NullMeansNoTier) {
  EXPECT_EQ(*ReadTierBody(R"({"tier": null})"), "");
}

TEST(TierBodyTest, TextThatIsNotJsonNamesTheTierWithoutTheSpaceAroundIt) {
  EXPECT_EQ(*ReadTierBody("pro"), "pro");
  EXPECT_EQ(*ReadTierBody(" \t pro plus\r\n"), "pro plus");
}

TEST(TierBodyTest, AnyOtherBodyIsMalformed) {
  const std::string deep = "{\"a\":" + std::string(60'000, '[');
  for (const std::string& body :
       {std::string(), std::string("  \n"), std::string("{"), std::string("{}"),
        std::string(R"({"tier": 7})"), std::string(R"({"tier": ""})"),
        std::string(R"({"tier": ["pro"]})"), std::string(R"({"Tier": "pro"})"),
        std::string(R"({"tier": "a\nb"})"), std::string(R"({"tier": "pro"} x)"),
        std::string("two\nlines"), std::string("\xFF\xFE"),
        std::string("{\"tier\": \"\xFF\"}"), std::string("nul\0nul", 7),
        std::string(kMaxTierNameBytes + 1, 'x'), deep}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadTierBody(body).status())) << body;
  }
}

}  // namespace
}  // namespace rls
