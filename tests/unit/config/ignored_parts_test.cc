#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config/load.h"
#include "unit/config/config_fixture.h"

// Files that envoyproxy/ratelimit takes although a part of them has no effect.
// A warning names this part.

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kStart[] = "domain: d\ndescriptors:\n- key: k\n";

TEST(IgnoredPartsTest, OfARepeatedKeyTheLastOneCounts) {
  const std::string limit = absl::StrCat(
      kStart, "  rate_limit:\n    unit: day\n    name: a\n    unit: hour\n");
  EXPECT_EQ(MustLoad(limit).nodes.at(0).rule->policy.window, absl::Hours(1));
  EXPECT_EQ(WarningsOf(limit),
            "f.yaml:7: key \"unit\" of rate_limit occurs again: the value "
            "before it, on line 5, is ignored");
  const std::string node = absl::StrCat(kStart, "  key: j\n");
  EXPECT_EQ(MustLoad(node).nodes.at(0).key, "j");
  EXPECT_THAT(WarningsOf(node), HasSubstr("f.yaml:4: key \"key\" of a descr"));
  const std::string file = "domain: a\nredis: x\ndomain: b\nredis: y\n";
  const LoadedFile loaded = Load(file);
  EXPECT_EQ(loaded.domain_name, "b");
  EXPECT_EQ(loaded.domain_line, 3);
  EXPECT_EQ(loaded.redis.url, "y");
  EXPECT_EQ(loaded.warnings.size(), 2u);
  const std::string metadata =
      absl::StrCat(kStart, "  metadata:\n    a: 1\n    a: 2\n");
  EXPECT_THAT(WarningsOf(metadata), HasSubstr("f.yaml:6: key \"a\" of metad"));
}

// The map that merges another one has the key once only.
TEST(IgnoredPartsTest, AMergedKeyIsNotRepeated) {
  const std::string yaml =
      absl::StrCat(kStart,
                   "  rate_limit: &a {unit: day, unit: hour}\n"
                   "- key: j\n  rate_limit: {<<: *a, unit: minute}\n"
                   "- key: i\n  rate_limit: {<<: *a}\n");
  const DomainSpec domain = MustLoad(yaml);
  EXPECT_EQ(domain.nodes.at(1).rule->policy.window, absl::Minutes(1));
  EXPECT_EQ(domain.nodes.at(2).rule->policy.window, absl::Hours(1));
  EXPECT_EQ(Load(yaml).warnings.size(), 1u);
}

TEST(IgnoredPartsTest, AKnownWordInASenselessPlaceHasNoEffect) {
  const std::pair<const char*, const char*> cases[] = {
      {"  unit: day\n",
       "f.yaml:4: key \"unit\" has no meaning in a descriptor "
       "and is ignored"},
      {"  rate_limit: {unit: day, key: a}\n",
       "f.yaml:4: key \"key\" has no meaning in rate_limit and is ignored"},
      {"  rate_limit:\n    unit: day\n    metadata: {a: b}\n",
       "f.yaml:6: key \"metadata\" has no meaning in rate_limit and is "
       "ignored"},
      {"  rate_limit: {unit: day, replaces: [{name: a, value: b}]}\n",
       "f.yaml:4: key \"value\" has no meaning in replaces and is ignored"},
      {"rate_limit: {}\n",
       "f.yaml:4: key \"rate_limit\" has no meaning in the file and is "
       "ignored"},
  };
  for (const auto& [rest, warning] : cases) {
    EXPECT_EQ(ErrorsOf(absl::StrCat(kStart, rest)), "");
    EXPECT_EQ(WarningsOf(absl::StrCat(kStart, rest)), warning);
  }
  // Words of this server have no effect there, so they are mistakes.
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  burst: 1\n")),
              HasSubstr("f.yaml:4: unknown key \"burst\""));
}

TEST(IgnoredPartsTest, FurtherDocumentsHaveNoEffect) {
  const std::string yaml = absl::StrCat(kStart, "---\ndomain: [\n");
  EXPECT_EQ(MustLoad(yaml).nodes.size(), 1u);
  EXPECT_EQ(WarningsOf(yaml),
            "f.yaml:4: the text from here to the end of the file is ignored: a "
            "file is one document");
}

TEST(IgnoredPartsTest, AnEmptyNameIsNoName) {
  const std::string yaml =
      absl::StrCat(kStart, "  rate_limit: {unit: day, name: \"\"}\n");
  EXPECT_EQ(MustLoad(yaml).nodes.at(0).rule->name, "");
  EXPECT_EQ(WarningsOf(yaml), "");
}

TEST(IgnoredPartsTest, UnlimitedIgnoresAUnitThatDoesNotExist) {
  const std::string yaml = absl::StrCat(
      kStart, "  rate_limit: {unlimited: true, unit: fortnight}\n");
  EXPECT_TRUE(MustLoad(yaml).nodes.at(0).rule->unlimited);
  EXPECT_EQ(WarningsOf(yaml),
            "f.yaml:4: unit: found \"fortnight\", which is ignored beside "
            "unlimited");
}

TEST(IgnoredPartsTest, BoundsTheWarnings) {
  std::string yaml = "domain: d\ndescriptors:\n";
  for (int i = 0; i < 1000; ++i) {
    absl::StrAppend(&yaml, "- {key: k", i, ", unit: day}\n");
  }
  EXPECT_EQ(ErrorsOf(yaml), "");
  EXPECT_EQ(Load(yaml).warnings.size(), kMaxConfigErrors + 1);
  EXPECT_THAT(WarningsOf(yaml), HasSubstr("the rest is not shown"));
}

TEST(IgnoredPartsTest, TheFormatOfUserTiersIgnoresNothing) {
  const std::string start = "rate_limit:\n  default_rps: 1\n";
  EXPECT_THAT(ErrorsOf(start + "  default_rps: 2\n"),
              HasSubstr("f.yaml:3: key \"default_rps\" of rate_limit occurs "
                        "twice"));
  EXPECT_THAT(ErrorsOf(start + "---\n"),
              HasSubstr("f.yaml:3: found a second document"));
  EXPECT_THAT(ErrorsOf(start + "  unit: day\n"), HasSubstr("unknown key"));
}

}  // namespace
}  // namespace rls
