#include "limitador.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "limitador_limit.h"
#include "limitador_tree.h"

namespace rls {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kHead[] = "- {namespace: api, max_value: 5, seconds: 60, ";

Translation Translate(const std::string& text) {
  auto result = TranslateLimitador(text, "limits.yaml");
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : Translation();
}

std::vector<std::string> Notes(const Translation& result) {
  std::vector<std::string> notes;
  for (const ConfigError& note : result.notes) {
    notes.push_back(note.ToString());
  }
  return notes;
}

// The limits of the loaded descriptor file, as "a=x/b: 5 in 1m".
void ListNodes(const std::vector<RuleNode>& nodes, const std::string& path,
               std::vector<std::string>& limits) {
  for (const RuleNode& node : nodes) {
    std::string at = absl::StrCat(path, path.empty() ? "" : "/", node.key);
    if (!node.value.empty()) absl::StrAppend(&at, "=", node.value);
    if (node.share) at += "(shared)";
    if (node.rule.has_value()) {
      limits.push_back(
          absl::StrCat(at, ": ", node.rule->policy.limit, " in ",
                       absl::FormatDuration(node.rule->policy.window)));
    }
    ListNodes(node.children, at, limits);
  }
}

std::vector<std::string> Limits(const TranslatedDomain& domain) {
  const LoadedFile file =
      LoadConfig(domain.yaml, "translated.yaml",
                 [](const std::string&) { return std::nullopt; });
  std::vector<std::string> limits;
  for (const ConfigError& error : file.errors) {
    ADD_FAILURE() << error.ToString() << "\n" << domain.yaml;
  }
  if (!file.domain.has_value()) return limits;
  EXPECT_EQ(file.domain_name, domain.name);
  ListNodes(file.domain->nodes, "", limits);
  return limits;
}

std::vector<std::string> OnlyLimits(const Translation& result) {
  EXPECT_EQ(result.domains.size(), 1u);
  return result.domains.size() == 1 ? Limits(result.domains[0])
                                    : std::vector<std::string>();
}

// A file with items that differ in their conditions and variables.
std::string File(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    absl::StrAppend(&text, kHead, item, "}\n");
  }
  return text;
}

TEST(LimitadorTest, ConditionsComeFirstThenVariables) {
  const Translation result = Translate(
      "- namespace: api\n  max_value: 10\n  seconds: 60\n  name: per user\n"
      "  conditions:\n    - \"descriptors[0]['req.method'] == 'GET'\"\n"
      "  variables: [\"descriptors[0].user\", \"descriptors[0].path\"]\n");
  EXPECT_THAT(Notes(result), IsEmpty());
  EXPECT_THAT(OnlyLimits(result),
              ElementsAre("req.method=GET/user/path: 10 in 1m"));
  ASSERT_EQ(result.domains.size(), 1u);
  EXPECT_THAT(result.domains[0].yaml,
              AllOf(HasSubstr("name: \"per user\""),
                    HasSubstr("#   req.method=GET, user, path  (line 1)\n")));
}

TEST(LimitadorTest, AllLimitsUseTheOrderOfTheFirstMention) {
  const Translation result =
      Translate(File({"conditions: ['method == GET'], variables: [user]",
                      "variables: [user, path], conditions: ['method == POST']",
                      "variables: [zone, path, method]"}));
  EXPECT_THAT(OnlyLimits(result), ElementsAre("method=GET/user: 5 in 1m",
                                              "method=GET/path/zone: 5 in 1m",
                                              "method=POST/user/path: 5 in 1m",
                                              "method=POST/path/zone: 5 in 1m",
                                              "method/path/zone: 5 in 1m"));
}

TEST(LimitadorTest, EachNamespaceIsADomain) {
  const Translation result = Translate(
      "- {namespace: b, max_value: 1, seconds: 1, variables: [u]}\n"
      "- {namespace: 'a \"x\"', max_value: 2, seconds: 3600, variables: [u]}\n"
      "- {namespace: b, max_value: 3, seconds: 1, variables: [v]}\n");
  ASSERT_EQ(result.domains.size(), 2u);
  EXPECT_EQ(result.domains[0].name, "b");
  EXPECT_THAT(Limits(result.domains[0]),
              ElementsAre("u: 1 in 1s", "v: 3 in 1s"));
  EXPECT_EQ(result.domains[1].name, "a \"x\"");
  EXPECT_THAT(Limits(result.domains[1]), ElementsAre("u: 2 in 1h"));
}

TEST(LimitadorTest, SecondsAreAUnitOrAWindow) {
  EXPECT_EQ(WindowKeys(1), "unit: second");
  EXPECT_EQ(WindowKeys(60), "unit: minute");
  EXPECT_EQ(WindowKeys(3600), "unit: hour");
  EXPECT_EQ(WindowKeys(86400), "unit: day");
  EXPECT_EQ(WindowKeys(7 * 86400), "unit: week");
  EXPECT_EQ(WindowKeys(30 * 86400), "unit: month");
  EXPECT_EQ(WindowKeys(365 * 86400), "unit: year");
  for (const int seconds : {2, 90, 300, 86401, 366 * 86400}) {
    const Translation result = Translate(absl::StrCat(
        "- {namespace: api, max_value: 0, variables: [u], seconds: ", seconds,
        "}\n"));
    EXPECT_THAT(OnlyLimits(result),
                ElementsAre(absl::StrCat(
                    "u: 0 in ", absl::FormatDuration(absl::Seconds(seconds)))));
  }
}

TEST(LimitadorTest, ALimitOfAnyValueAlsoHoldsForValuesWithNodes) {
  const Translation result = Translate(
      File({"conditions: ['a == x'], variables: [b]", "variables: [a, c]",
            "conditions: ['a == y', 'd == z']"}));
  EXPECT_THAT(Notes(result), IsEmpty());
  EXPECT_THAT(OnlyLimits(result),
              ElementsAre("a=x/b: 5 in 1m", "a=x/c: 5 in 1m", "a/c: 5 in 1m",
                          "a=y/d=z: 5 in 1m", "a=y/c: 5 in 1m"));
}

TEST(LimitadorTest, ExceptionsShareOneCounter) {
  const Translation result = Translate(
      File({"conditions: ['m == GET', 'p != \"/json\"', 'p != \"/xml\"']",
            "conditions: ['m == GET', 'p == \"/json\"']",
            "conditions: ['m == POST', 'p != \"/json\"'], variables: [p]"}));
  EXPECT_THAT(Notes(result), IsEmpty());
  ASSERT_EQ(result.domains.size(), 1u);
  EXPECT_THAT(Limits(result.domains[0]),
              ElementsAre("m=GET/p=/json: 5 in 1m",
                          "m=GET/p=*(shared): 5 in 1m", "m=POST/p: 5 in 1m"));
  // The excluded values have nodes without a limit, so they pass.
  EXPECT_THAT(result.domains[0].yaml, HasSubstr("value: \"/xml\""));
}

TEST(LimitadorTest, LimitsOfOneRequestAreKeptApart) {
  const Translation result = Translate(
      "- {namespace: api, max_value: 10, seconds: 1, variables: [u]}\n"
      "- {namespace: api, max_value: 100, seconds: 60, variables: [u]}\n"
      "- {namespace: api, max_value: 3, seconds: 60, conditions: ['u == x']}\n"
      "- {namespace: api, max_value: 4, seconds: 60, conditions: ['u != x']}\n"
      "- {namespace: api, max_value: 9, seconds: 60, conditions: [], "
      "variables: "
      "}\n");
  EXPECT_THAT(
      OnlyLimits(result),
      ElementsAre("u: 10 in 1s", "generic_key=limitador-limit-2/u: 100 in 1m",
                  "generic_key=limitador-limit-3/u=x: 3 in 1m",
                  "generic_key=limitador-limit-4/u=*(shared): 4 in 1m",
                  "generic_key=limitador-limit-5: 9 in 1m"));
  EXPECT_THAT(
      Notes(result),
      ElementsAre(
          "limits.yaml:2: one request can meet this limit and that of line 1; "
          "the gateway must send one more descriptor: "
          "generic_key=limitador-limit-2, u",
          StartsWith("limits.yaml:3: one request can meet this limit and that "
                     "of line 1"),
          StartsWith("limits.yaml:4: one request can meet this limit and that "
                     "of line 1"),
          "limits.yaml:5: the limit has neither conditions nor variables; the "
          "gateway must send one more descriptor: "
          "generic_key=limitador-limit-5"));
}

TEST(LimitadorTest, ASharedCounterIsNotSplit) {
  // The node a=z would take the requests with b=1 out of the shared counter.
  const Translation result =
      Translate(File({"conditions: ['a != x', 'b == 1']",
                      "conditions: ['a == z', 'b == 2']"}));
  EXPECT_THAT(OnlyLimits(result),
              ElementsAre("a=*(shared)/b=1: 5 in 1m",
                          "generic_key=limitador-limit-2/a=z/b=2: 5 in 1m"));
  EXPECT_EQ(result.notes.size(), 1u);
}

TEST(LimitadorTest, ALimitOfFewerEntriesNeedsItsOwnDescriptor) {
  const Translation result = Translate(File(
      {"conditions: ['m == GET']", "conditions: ['m == GET'], variables: [u]",
       "conditions: ['m == PUT'], variables: [v]"}));
  EXPECT_THAT(
      OnlyLimits(result),
      ElementsAre("m=GET: 5 in 1m", "m=GET/u: 5 in 1m", "m=PUT/v: 5 in 1m"));
  EXPECT_THAT(Notes(result),
              ElementsAre("limits.yaml:1: limitador also applies this limit to "
                          "the requests of line 2; the gateway must send a "
                          "descriptor of its own for it: m=GET"));
}

TEST(LimitadorTest, OfEqualLimitsTheFirstCounts) {
  const Translation result = Translate(
      "- {namespace: n, max_value: 1, seconds: 5, conditions: [a == x, b == "
      "y]}\n"
      "- {namespace: n, max_value: 2, seconds: 5, conditions: [b == y, a == "
      "x]}\n"
      "- {namespace: n, max_value: 3, seconds: 5, conditions: [b == 'y', a == "
      "x]}\n");
  // Another spelling is another limit for limitador.
  EXPECT_THAT(OnlyLimits(result),
              ElementsAre("a=x/b=y: 1 in 5s",
                          "generic_key=limitador-limit-3/a=x/b=y: 3 in 5s"));
  EXPECT_THAT(Notes(result),
              ElementsAre("limits.yaml:2: left out: the same conditions, "
                          "variables and seconds as in line 1; limitador uses "
                          "only the first",
                          StartsWith("limits.yaml:3: one request")));
}

TEST(LimitadorTest, NamesEachLimitThatItLeavesOut) {
  const Translation result = Translate(
      "- {namespace: n, max_value: 1, seconds: 5, conditions: ['a > 1']}\n"
      "- {namespace: n, max_value: 1, seconds: 5, variables: ['a + b']}\n"
      "- {namespace: n, max_value: 1, seconds: 5, conditions: ['a == x', 'a == "
      "y']}\n"
      "- {namespace: n, max_value: 1, seconds: 5, conditions: ['a == x', 'a != "
      "x']}\n"
      "- {namespace: n, max_value: 1, seconds: 5, conditions: ['a == "
      "\"x*\"']}\n"
      "- {namespace: n, max_value: 1, seconds: 5, conditions: ['a == \"\"']}\n"
      "- {namespace: n, max_value: 4294967296, seconds: 5, variables: [a]}\n"
      "- {namespace: n, max_value: 1, seconds: 31622401, variables: [a]}\n"
      "- {namespace: n, max_value: 1, seconds: 0, variables: [a]}\n"
      "- {namespace: n, seconds: 5, variables: [a]}\n"
      "- {namespace: n, max_value: 1, variables: [a]}\n"
      "- {max_value: 1, seconds: 5, variables: [a]}\n"
      "- {namespace: n, max_value: 1, seconds: 5, condition: [a]}\n"
      "- {namespace: n, max_value: 1, seconds: 5, variables: a}\n"
      "- {namespace: n, max_value: 1, seconds: 5, variables: "
      "['descriptors[0].a', 'descriptors[1].b']}\n"
      "- text\n");
  EXPECT_THAT(result.domains, IsEmpty());
  const std::vector<std::string> notes = Notes(result);
  ASSERT_EQ(notes.size(), 16u);
  for (size_t i = 0; i < notes.size(); ++i) {
    EXPECT_THAT(notes[i],
                StartsWith(absl::StrCat("limits.yaml:", i + 1, ": ")));
  }
}

TEST(LimitadorTest, RefusesAFileThatIsNoLimitsFile) {
  for (const char* text :
       {"", "a: b", "text", "- [", "\xff", "- {}\n---\n- {}\n"}) {
    const auto result = TranslateLimitador(text, "limits.yaml");
    EXPECT_THAT(std::string(result.status().message()),
                StartsWith("limits.yaml"))
        << text;
  }
}

TEST(LimitadorTest, BoundsTheSizes) {
  std::string many;
  for (size_t i = 0; i <= kMaxImportedLimits; ++i) many += "- {}\n";
  EXPECT_THAT(std::string(TranslateLimitador(many, "f").status().message()),
              HasSubstr("more than 10000 limits"));

  std::string variables;
  for (size_t i = 0; i <= kMaxImportedTests; ++i) {
    absl::StrAppend(&variables, i == 0 ? "" : ", ", "a");
  }
  EXPECT_THAT(
      Notes(Translate(File({absl::StrCat("variables: [", variables, "]")}))),
      ElementsAre(HasSubstr("more than 64 conditions and variables")));
}

TEST(LimitadorTest, TheTreeStaysBounded) {
  // Each key is one of four values or any value: 5^8 paths.
  std::vector<std::string> items;
  for (int key = 0; key < 8; ++key) {
    for (int value = 0; value < 4; ++value) {
      std::string variables;
      for (int i = 0; i < 9; ++i) {
        if (i != key) {
          absl::StrAppend(&variables, variables.empty() ? "" : ", ", "k", i);
        }
      }
      items.push_back(absl::StrCat("conditions: ['k", key, " == ", value,
                                   "'], variables: [", variables, ", own",
                                   items.size(), "]"));
    }
  }
  const Translation result = Translate(File(items));
  EXPECT_THAT(result.domains, IsEmpty());
  EXPECT_THAT(Notes(result),
              ElementsAre(HasSubstr("more than 100000 descriptors")));
}

TEST(LimitadorTest, QuotesText) {
  EXPECT_EQ(YamlText("a\"b\\c\n\x7f\xc3\xa9"),
            "\"a\\\"b\\\\c\\x0a\\x7f\xc3\xa9\"");
}

}  // namespace
}  // namespace rls
