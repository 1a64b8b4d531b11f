#include "tiers/tier_reply.h"

#include <gtest/gtest.h>

namespace rls {
namespace {

TEST(TierReplyTest, JsonNamesTheTier) {
  EXPECT_EQ(*ReadTierReply(R"({"tier": "pro"})"), "pro");
  EXPECT_EQ(*ReadTierReply(" \n{\"plan\": {\"tier\": 1}, \"tier\": \"pro\"}\n"),
            "pro");
  EXPECT_EQ(*ReadTierReply(R"("pro")"), "pro");
  EXPECT_EQ(*ReadTierReply(R"({"tier": "z\u00fcrich"})"), "z\xC3\xBCrich");
}

TEST(TierReplyTest, NullMeansNoTier) {
  EXPECT_EQ(*ReadTierReply(R"({"tier": null})"), "");
}

TEST(TierReplyTest, PlainTextNamesTheTierWithoutTheSpaceAroundIt) {
  EXPECT_EQ(*ReadTierReply("pro"), "pro");
  EXPECT_EQ(*ReadTierReply(" \t pro plus\r\n"), "pro plus");
}

TEST(TierReplyTest, AllElseIsMalformed) {
  const std::string deep = "{\"a\":" + std::string(60'000, '[');
  for (const std::string& body :
       {std::string(), std::string("  \n"), std::string("{"), std::string("{}"),
        std::string(R"({"tier": 7})"), std::string(R"({"tier": ""})"),
        std::string(R"({"tier": ["pro"]})"), std::string(R"({"Tier": "pro"})"),
        std::string(R"({"tier": "a\nb"})"), std::string(R"({"tier": "pro"} x)"),
        std::string("two\nlines"), std::string("\xFF\xFE"),
        std::string("{\"tier\": \"\xFF\"}"), std::string("nul\0nul", 7),
        std::string(kMaxTierNameBytes + 1, 'x'), deep}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadTierReply(body).status())) << body;
  }
}

}  // namespace
}  // namespace rls
