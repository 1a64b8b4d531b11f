#include "config/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config/load.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

std::string FaultOf(const std::string& yaml,
                    size_t max_nodes = kMaxConfigNodes) {
  YamlTree tree;
  const auto fault = tree.Parse(yaml, nullptr, max_nodes);
  return fault.has_value() ? absl::StrCat(fault->line, ": ", fault->text) : "";
}

std::string Repeated(const std::string& text, size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

// The tree as text: n for nothing, quotes around quoted texts.
std::string TextOf(const YamlNode& node) {
  if (node.IsScalar()) {
    return node.IsQuoted() ? absl::StrCat("'", node.Scalar(), "'")
                           : std::string(node.Scalar());
  }
  std::string text;
  for (const YamlNode& item : node.Items()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", TextOf(item));
  }
  for (const auto& [key, value] : node.Entries()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", TextOf(key), ":",
                    TextOf(value));
  }
  if (node.IsSequence()) return absl::StrCat("[", text, "]");
  return node.IsMap() ? absl::StrCat("{", text, "}") : "n";
}

std::string Read(const std::string& yaml) {
  YamlTree tree;
  const auto fault = tree.Parse(yaml, nullptr);
  return fault.has_value() ? fault->text : TextOf(tree.root());
}

TEST(YamlTreeTest, ReadsAllKindsOfNodes) {
  EXPECT_EQ(Read("a: [1, 'two', \"3\", ~, null, [], {}]\nb:\nc: |\n  x\n  y\n"),
            "{a:[1 'two' '3' n n [] {}] b:n c:'x\ny\n'}");
  EXPECT_EQ(Read("- a\n- - b\n  - c: d\n    e: f\n"), "[a [b {c:d e:f}]]");
  EXPECT_EQ(Read("{a: 'null', ? [k] : v}"), "{a:'null' [k]:v}");
  EXPECT_EQ(Read("! 5"), "'5'");
  EXPECT_EQ(Read(""), "n");
}

TEST(YamlTreeTest, AnAliasIsTheNodeOfItsAnchor) {
  EXPECT_EQ(Read("[&a [x, &b y], *a, *b, *a]"), "[[x y] [x y] y [x y]]");
  EXPECT_EQ(Read("{&k key: 1, other: *k, *k : 2}"), "{key:1 other:key key:2}");
  EXPECT_EQ(Read("[&a x, *a, &a y, *a]"), "[x x y y]");
  EXPECT_EQ(Read("&a [&a x, *a]"), "[x x]");
  EXPECT_THAT(FaultOf("a: 1\nb: *x\n"), HasSubstr("2: the referenced anchor"));
  EXPECT_EQ(FaultOf("a: &x\n- *x\n"),
            "2: an alias refers to the node that contains it");
}

TEST(YamlTreeTest, KnowsTheLineOfEachNode) {
  YamlTree tree;
  ASSERT_FALSE(tree.Parse("a: 1\n\nb:\n- x\n- y\n", nullptr).has_value());
  EXPECT_EQ(tree.root()["a"].line(), 1);
  EXPECT_EQ(tree.root()["b"].size(), 2u);
  EXPECT_EQ(tree.root()["b"].line(), 4);
  EXPECT_FALSE(tree.root()["c"]);
  EXPECT_TRUE(tree.root()["c"].IsNull());
}

TEST(YamlTreeTest, NamesTheLineOfAMistake) {
  EXPECT_THAT(FaultOf("a: 1\nb: [1, 2\nc: 3\n"), HasSubstr("sequence flow"));
  EXPECT_THAT(FaultOf("a: 1\n\tb: 2\n"), HasSubstr("2: "));
  // The parser finds documents without end in this text.
  EXPECT_EQ(FaultOf(",dre"), "1: found a second document, expected one");
}

// The line of further documents, or the fault.
std::string FurtherOf(const std::string& yaml) {
  YamlTree tree;
  const auto fault = tree.Parse(yaml, nullptr);
  return fault.has_value() ? fault->text : absl::StrCat(tree.further_line());
}

TEST(YamlTreeTest, DoesNotReadFurtherDocuments) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: 1\n", "0"},
      {"---\na: 1\n...\n", "0"},
      {"--- {a: b}\n# ---\n", "0"},
      {"a: |\n  x\n  ---\n", "0"},
      {"a: 1\n---\nb: 2\n", "2"},
      {"a: 1\n---\n", "2"},
      {"a: 1\n--- b\n--- c\n", "2"},
      {"a: |\n  x\n\n---\r\n*x\n", "4"},
      {"a: 1\n---\n\t[@'\n", "2"},
      {"a: 1\n...\nb: 2\n", "2"},
      {"a: 1\n...\n@'[\n", "2"},
      {"a: 1\n...\n'never closed\n", "2"},
      {"a: 1\n...\n%YAML 9\n---\n", "2"},
      {"{a: b} c", "found a second document, expected one"},
      {"--- {a: b} c\n", "found a second document, expected one"},
      {"{a: b}\n---c\n", "found a second document, expected one"},
  };
  for (const auto& [yaml, expected] : cases) {
    EXPECT_EQ(FurtherOf(yaml), expected) << yaml;
  }
  EXPECT_EQ(Read("a: 1\n---\nb: 2\n"), "{a:1}");
}

TEST(YamlTreeTest, FindsAQuoteThatIsNeverClosed) {
  for (const char* quote : {"\"", "'"}) {
    for (const char* end : {"", "\n", "\n\n", "\r\n", "\n  ", "\nb: 2\n"}) {
      EXPECT_EQ(FaultOf(absl::StrCat("a: 1\nk: ", quote, "shop", end)),
                "2: found a quote that is never closed")
          << quote << end;
    }
  }
  EXPECT_EQ(Read("a: |+\n  text\n"), "{a:'text\n'}");
  EXPECT_EQ(Read("a: >\n  text\n"), "{a:'text\n'}");
  EXPECT_EQ(Read("a: 'x'\n"), "{a:'x'}");
}

// In a block list, a list in one line, and a map.
TEST(YamlTreeTest, StopsAtTheBoundOfNodes) {
  EXPECT_EQ(FaultOf(Repeated("- a\n", 999), 1000), "");
  EXPECT_EQ(FaultOf(Repeated("- a\n", 1000), 1000),
            "1000: more than 1000 nodes, with those that aliases repeat");
  EXPECT_THAT(FaultOf("[" + Repeated("a,", 1000) + "]", 1000),
              HasSubstr("1: more than 1000"));
  EXPECT_THAT(FaultOf("{" + Repeated("a: b,", 500) + "}", 1000),
              HasSubstr("1: more than 1000"));
}

// The parser keeps all words of a list in brackets until it ends, if the list
// may be a key.
TEST(YamlTreeTest, EndsAListInBracketsThatIsTooLong) {
  const std::string items = Repeated("a,", kMaxPendingBytes / 2 + 4096);
  EXPECT_THAT(FaultOf("- x\n- [" + items + "a]"),
              HasSubstr("2: a text, comment, or list or map in brackets of "
                        "more than 524288 bytes"));
  EXPECT_THAT(FaultOf("- x\n- {" + items), HasSubstr("2: a text, comment"));
  EXPECT_THAT(FaultOf("#" + items + "a: 1\n"), HasSubstr("1: a text, comment"));
  const std::string shorter = items.substr(16'384);
  EXPECT_EQ(FaultOf("- [" + shorter + "a]\n- [" + shorter + "a]"), "");
}

TEST(YamlTreeTest, CountsTheNodesThatAliasesRepeat) {
  std::string bomb = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 7; ++i) {
    absl::StrAppend(&bomb, "- &a", i, " [",
                    Repeated(absl::StrCat("*a", i - 1, ", "), 10), "]\n");
  }
  EXPECT_THAT(FaultOf(bomb), HasSubstr("7: more than"));
}

TEST(YamlTreeTest, BoundsTheAnchors) {
  std::string anchors;
  for (int i = 0; i < 100'000; ++i)
    absl::StrAppend(&anchors, "- &a", i, " x\n");
  EXPECT_EQ(FaultOf(anchors), "");
  EXPECT_EQ(FaultOf(anchors + "- &b x\n"), "100001: more than 100000 anchors");
}

TEST(YamlTreeTest, BoundsTheDepthAlsoThroughAliases) {
  const auto nested = [](int depth) {
    const auto levels = static_cast<size_t>(depth);
    return Repeated("[", levels) + Repeated("]", levels);
  };
  EXPECT_EQ(FaultOf(nested(kMaxConfigDepth)), "");
  EXPECT_THAT(FaultOf(nested(kMaxConfigDepth + 1)), HasSubstr("1: nested"));
  const auto aliased = [&](int depth) {
    return absl::StrCat("- &a ", nested(depth / 2), "\n- ",
                        Repeated("[", static_cast<size_t>(depth / 2 - 1)), "*a",
                        Repeated("]", static_cast<size_t>(depth / 2 - 1)),
                        "\n");
  };
  EXPECT_EQ(FaultOf(aliased(kMaxConfigDepth)), "");
  EXPECT_THAT(FaultOf(aliased(kMaxConfigDepth + 2)), HasSubstr("2: nested"));
}

TEST(YamlTreeTest, BoundsATextAndTheFile) {
  EXPECT_EQ(FaultOf(std::string(kMaxScalarBytes, 'x')), "");
  EXPECT_THAT(
      FaultOf("a: b\nc: '" + std::string(kMaxScalarBytes + 1, 'x') + "'"),
      HasSubstr("2: a text of 65537 bytes"));
  EXPECT_THAT(ErrorsOf(std::string(kMaxConfigBytes + 1, '#')),
              HasSubstr("larger than"));
}

TEST(YamlTreeTest, EndsEarlyIfItIsAskedTo) {
  const std::atomic<bool> stop{true};
  const LoadedFile file =
      LoadConfig("domain: a\n", "f.yaml", ProcessEnvironment, &stop);
  EXPECT_FALSE(file.domain.has_value());
  ASSERT_EQ(file.errors.size(), 1u);
  EXPECT_THAT(file.errors[0].text, HasSubstr("ending"));
}

TEST(ConfigBoundsTest, BoundsTheDescriptorsOfADomain) {
  std::string rules = "domain: a\ndescriptors:\n";
  for (size_t i = 0; i <= kMaxRules; ++i) {
    absl::StrAppend(&rules, "- {key: k, value: v", i, "}\n");
  }
  EXPECT_EQ(ErrorsOf(rules), "f.yaml:400003: more than 400000 descriptors");
}

TEST(ConfigBoundsTest, BoundsTheListsOfTheTierFormat) {
  const std::string start = "rate_limit:\n  default_rps: 1\n";
  std::string tiers = start + "  user_tiers:\n";
  for (size_t i = 0; i <= kMaxTiers; ++i) {
    absl::StrAppend(&tiers, "    t", i, ": {rps: 1}\n");
  }
  EXPECT_EQ(ErrorsOf(tiers), "f.yaml:4: user_tiers: more than 1000 tiers");
  std::string limits = start + "  user_tiers:\n    a:\n      limits:\n";
  for (size_t i = 1; i <= kMaxLimitsOfTier + 1; ++i) {
    absl::StrAppend(&limits, "      - {requests: 1, per: ", i, "s}\n");
  }
  EXPECT_EQ(ErrorsOf(limits), "f.yaml:6: limits: more than 100 entries");
  std::string models;
  for (size_t i = 0; i <= kMaxModels; ++i) {
    absl::StrAppend(&models, "    m", i, ": x\n");
  }
  EXPECT_EQ(ErrorsOf(start + "  enforce: degrade\n  degrade_to:\n" + models),
            "f.yaml:3: enforce: degrade: found no cheaper model for users "
            "without a tier, expected degrade_to: {model: cheaper model}, or "
            "models with a cost\n"
            "f.yaml:5: degrade_to: more than 1000 models");
  EXPECT_THAT(ErrorsOf(start + "  enforce: degrade\nmodels:\n" + models),
              HasSubstr("f.yaml:5: models: more than 1000 models"));
}

// Each of these needs time or memory that grows faster than the file.
TEST(YamlTreeTest, RefusesTheMistakesOfAHugeFileInBoundedSpace) {
  const std::string list =
      "domain: a\ndescriptors:\n" + Repeated("- x\n", 200'000);
  EXPECT_EQ(Load(list).errors.size(), kMaxConfigErrors + 1);
  EXPECT_THAT(ErrorsOf(list), HasSubstr("the rest is not shown"));
  std::string keys = "rate_limit:\n  default_rps: 1\n";
  for (int i = 0; i < 200'000; ++i) absl::StrAppend(&keys, "  k", i, ": 1\n");
  EXPECT_EQ(Load(keys).errors.size(), kMaxConfigErrors + 1);
  EXPECT_EQ(ErrorsOf(Repeated("%TAG ! tag:\n", 1000) + "---\ndomain: a\n"),
            "f.yaml:1: %TAG is not supported");
}

}  // namespace
}  // namespace rls
