#include "limitador_expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Show(const EntryReference& entry) {
  return entry.descriptor.has_value()
             ? absl::StrCat(*entry.descriptor, "/", entry.key)
             : entry.key;
}

// "0/key==value" for each test.
std::vector<std::string> Parse(absl::string_view text) {
  const auto tests = ParseCondition(text);
  if (!tests.ok()) return {std::string(tests.status().message())};
  std::vector<std::string> shown;
  for (const EntryTest& test : *tests) {
    shown.push_back(
        absl::StrCat(Show(test.entry), test.equal ? "==" : "!=", test.value));
  }
  return shown;
}

TEST(LimitadorExpressionTest, ReadsAnEntryByIndexAndByField) {
  EXPECT_THAT(Parse(R"(descriptors[0]["req.method"] == "GET")"),
              ElementsAre("0/req.method==GET"));
  EXPECT_THAT(Parse("descriptors[0]['req.method']=='GET'"),
              ElementsAre("0/req.method==GET"));
  EXPECT_THAT(Parse("descriptors[2].KEY_A == 'VALUE_A'"),
              ElementsAre("2/KEY_A==VALUE_A"));
}

TEST(LimitadorExpressionTest, ReadsTheFormOfOldVersions) {
  EXPECT_THAT(Parse(R"(req.method == "GET")"), ElementsAre("req.method==GET"));
  EXPECT_THAT(Parse("KEY_A == VALUE_A"), ElementsAre("KEY_A==VALUE_A"));
  EXPECT_THAT(Parse("x==5"), ElementsAre("x==5"));
}

TEST(LimitadorExpressionTest, ReadsInequalityReversedAndJoinedTests) {
  EXPECT_THAT(Parse("descriptors[0].path != '/json'"),
              ElementsAre("0/path!=/json"));
  EXPECT_THAT(Parse("'GET' == descriptors[0].method"),
              ElementsAre("0/method==GET"));
  EXPECT_THAT(
      Parse("descriptors[0].a == '1' && descriptors[0].b != '2'&&c=='3'"),
      ElementsAre("0/a==1", "0/b!=2", "c==3"));
}

TEST(LimitadorExpressionTest, ReadsEscapedQuotes) {
  EXPECT_THAT(Parse(R"(descriptors[0].a == "say \"x\\y\" it's")"),
              ElementsAre(R"(0/a==say "x\y" it's)"));
}

TEST(LimitadorExpressionTest, NamesAnyOtherCondition) {
  for (const char* text : {"",
                           "true",
                           "descriptors[0].a",
                           "descriptors[0].a == 'x' || b == 'y'",
                           "descriptors[0].a.startsWith('x')",
                           "descriptors[0].a in ['x', 'y']",
                           "!(descriptors[0].a == 'x')",
                           "descriptors[0].a == descriptors[0].b",
                           "descriptors[0].a == 5",
                           "descriptors[0].a > 'x'",
                           "descriptors[0].a == 'x' ? true : false",
                           "limit.name == 'x'",
                           "descriptors[0].a.b == 'x'",
                           "descriptors[-1].a == 'x'",
                           "descriptors[99999999999].a == 'x'",
                           "descriptors.a == 'x'",
                           "descriptors[0][''] == 'x'",
                           "descriptors[0]['a' == 'x'",
                           "descriptors[0].a == 'x",
                           "descriptors[0].a == r'x'",
                           "descriptors[0].a == 'x\\n'",
                           "descriptors[0].a == 'x' &&",
                           "descriptors[0].a == 'x\\",
                           "size(descriptors) == '1'",
                           "descriptors.exists(d, d.a == 'x')",
                           "'x' == 'x'",
                           "5 == x"}) {
    EXPECT_THAT(Parse(text), ElementsAre(HasSubstr("expected descriptors[0]")))
        << text;
  }
}

TEST(LimitadorExpressionTest, ReadsVariables) {
  EXPECT_EQ(Show(*ParseVariable("descriptors[0]['user.id']")), "0/user.id");
  EXPECT_EQ(Show(*ParseVariable(" descriptors[1].user_id ")), "1/user_id");
  EXPECT_EQ(Show(*ParseVariable("user_id")), "user_id");
  EXPECT_EQ(Show(*ParseVariable("auth.identity.user-id")),
            "auth.identity.user-id");
  for (const char* text :
       {"", "'x'", "descriptors[0]", "descriptors[0].a + 'x'", "a b",
        "size(descriptors[0].a)", "limit.name", "5"}) {
    EXPECT_FALSE(ParseVariable(text).ok()) << text;
  }
}

}  // namespace
}  // namespace rls
