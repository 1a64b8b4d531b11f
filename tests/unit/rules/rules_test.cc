#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "rules/domain.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RuleNode Node(const std::string& key, const std::string& value,
              std::vector<RuleNode> children = {}) {
  RuleNode node{.key = key, .value = value, .rule = Rule{}};
  node.rule->path = value.empty() ? key : absl::StrCat(key, "_", value);
  node.children = std::move(children);
  return node;
}

RuleNode WithoutRule(RuleNode node) {
  node.rule.reset();
  return node;
}

class RulesTest : public ::testing::Test {
 protected:
  void Compile(std::vector<RuleNode> nodes) {
    Compile(DomainSpec{.name = "d", .nodes = std::move(nodes)});
  }
  void Compile(DomainSpec spec) {
    auto domain = CompileDomain(std::move(spec), *metrics_);
    ASSERT_TRUE(domain.ok()) << domain.status();
    domain_ = *std::move(domain);
  }

  // The path of the matching rule, "" if no rule matches.
  std::string Find(const std::vector<Entry>& entries) {
    domain_->Find(entries, match_);
    return match_.rule == nullptr ? "" : match_.rule->path;
  }

  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  std::shared_ptr<const Domain> domain_;
  Match match_;
};

TEST_F(RulesTest, ExactComesBeforeWildcardBeforeKeyAlone) {
  Compile({Node("path", ""), Node("path", "/a*"), Node("path", "/ab")});
  EXPECT_EQ(Find({{"path", "/ab"}}), "path_/ab");
  EXPECT_EQ(Find({{"path", "/ac"}}), "path_/a*");
  EXPECT_EQ(Find({{"path", "/x"}}), "path");
  EXPECT_EQ(Find({{"other", "/ab"}}), "");
}

// The counters of one user share a slot, and no counter moves when a user gets
// its own limit.
TEST_F(RulesTest, TheTagIsTheFirstValueThatDistinguishesCounters) {
  const auto tag = [&](const std::vector<Entry>& entries) {
    EXPECT_NE(Find(entries), "");
    return match_.parts[match_.tag_part];
  };
  Compile({Node("user", "", {Node("path", "/login"), Node("path", "/a*")}),
           Node("path", "/login", {Node("user", "")}),
           Node("tenant", "a", {Node("plan", "gold")})});
  EXPECT_EQ(tag({{"user", "bob"}}), "bob");
  EXPECT_EQ(tag({{"user", "bob"}, {"path", "/login"}}), "bob");
  EXPECT_EQ(tag({{"path", "/login"}, {"user", "bob"}}), "bob");
  EXPECT_EQ(tag({{"tenant", "a"}, {"plan", "gold"}}), "gold");
  Compile({Node("user", ""), Node("user", "bob", {Node("path", "/login")})});
  EXPECT_EQ(tag({{"user", "bob"}, {"path", "/login"}}), "bob");
}

TEST_F(RulesTest, ValuesUnderSecretKeysAreSecret) {
  Compile({Node("Authorization", ""), Node("path", "", {Node("api_key", "")})});
  Find({{"Authorization", "Bearer x"}});
  EXPECT_TRUE(match_.secret);
  Find({{"path", "/a"}});
  EXPECT_FALSE(match_.secret);
  Find({{"path", "/a"}, {"api_key", "k"}});
  EXPECT_TRUE(match_.secret);
}

TEST_F(RulesTest, ANodeMayBeMarkedSecretOrPublic) {
  RuleNode plain = Node("plan", "");
  plain.secret = true;
  RuleNode open = Node("token", "");
  open.secret = false;
  Compile({plain, open});
  Find({{"plan", "x"}});
  EXPECT_TRUE(match_.secret);
  Find({{"token", "x"}});
  EXPECT_FALSE(match_.secret);
}

TEST_F(RulesTest, AllOrNoUsersMayBeShown) {
  for (const ShownUsers shown : {ShownUsers::kNone, ShownUsers::kAll}) {
    Compile(DomainSpec{.name = "d",
                       .tiers = TierSpec{.identity = {{.key = "user_id"}},
                                         .shown_users = shown,
                                         .tiers = {Rule{.path = "tier free"}},
                                         .assignments = {{"bob", 0}}}});
    for (const char* user : {"bob", "ann"}) {
      Find({{"user_id", user}});
      EXPECT_EQ(match_.secret, shown == ShownUsers::kNone) << user;
    }
  }
}

TEST_F(RulesTest, AUserIsSecretUnlessTheConfigurationListsIt) {
  TierSpec tiers{.identity = {{.key = "user_id"}, {.key = "authorization"}},
                 .tiers = {Rule{.path = "tier free"}},
                 .assignments = {{"bob", 0}}};
  Compile(DomainSpec{.name = "d", .tiers = std::move(tiers)});
  Find({{"authorization", "bob"}});
  EXPECT_FALSE(match_.secret);
  Find({{"user_id", "sk-12345"}});
  EXPECT_TRUE(match_.secret);
  Find({{"remote_address", "10.0.0.1"}});
  EXPECT_FALSE(match_.secret);
}

TEST_F(RulesTest, ScopesOfDifferentDomainsAreApart) {
  const Policy minute{.limit = 1, .window = absl::Minutes(1)};
  Policy bucket = minute;
  bucket.algorithm = Algorithm::kTokenBucket;
  EXPECT_EQ(CounterScope("shop", minute), "shop/1m");
  EXPECT_EQ(CounterScope("shop", bucket), "shop/token_bucket/1m");
  EXPECT_NE(CounterScope("shop/token_bucket", minute),
            CounterScope("shop", bucket));
  EXPECT_NE(CounterScope("a/b", minute), CounterScope("a%2Fb", minute));
}

TEST_F(RulesTest, TheFirstWildcardInTheFileWins) {
  Compile(
      {Node("p", "a*c"), Node("p", "a*"), Node("p", "ab*"), Node("p", "*")});
  EXPECT_EQ(Find({{"p", "abc"}}), "p_a*c");
  EXPECT_EQ(Find({{"p", "abd"}}), "p_a*");
  EXPECT_EQ(Find({{"p", "b"}}), "p_*");
  EXPECT_EQ(Find({{"p", ""}}), "p_*");
  EXPECT_EQ(Find({{"p", "ab*"}}), "p_ab*");
}

TEST_F(RulesTest, PiecesOfAWildcardComeInOrderAndDoNotOverlap) {
  Compile(
      {Node("p", "aba*aba"), Node("q", "/v1/*/items/*"), Node("r", "x**y")});
  EXPECT_EQ(Find({{"p", "aba"}}), "");
  EXPECT_EQ(Find({{"p", "ababa"}}), "");
  EXPECT_EQ(Find({{"p", "abaaba"}}), "p_aba*aba");
  EXPECT_EQ(Find({{"p", "aba--aba"}}), "p_aba*aba");
  EXPECT_EQ(Find({{"q", "/v1/shop/items/7"}}), "q_/v1/*/items/*");
  EXPECT_EQ(Find({{"q", "/v1/items/7"}}), "");
  EXPECT_EQ(Find({{"r", "x--y"}}), "r_x**y");
  EXPECT_EQ(Find({{"r", "xy"}}), "r_x**y");
}

TEST_F(RulesTest, MatchingNeverBacktracksToASibling) {
  Compile({WithoutRule(Node("user", "alice", {Node("path", "/a")})),
           Node("user", "", {Node("path", "")})});
  EXPECT_EQ(Find({{"user", "alice"}, {"path", "/a"}}), "path_/a");
  EXPECT_EQ(Find({{"user", "alice"}, {"path", "/b"}}), "");
  EXPECT_EQ(Find({{"user", "bob"}, {"path", "/b"}}), "path");
  // No limit applies to an exact node without a limit.
  EXPECT_EQ(Find({{"user", "alice"}}), "");
}

TEST_F(RulesTest, OnlyALimitOfTheLastEntryCounts) {
  Compile({Node("a", "", {Node("b", "")})});
  EXPECT_EQ(Find({{"a", "1"}}), "a");
  EXPECT_EQ(Find({{"a", "1"}, {"b", "2"}}), "b");
  EXPECT_EQ(Find({{"a", "1"}, {"b", "2"}, {"c", "3"}}), "");
  EXPECT_EQ(Find({{"b", "2"}}), "");
  EXPECT_EQ(Find({}), "");
}

TEST_F(RulesTest, ValuesAreComparedByteForByte) {
  const std::string nul("a\0b", 3);
  Compile({Node("k", nul), Node("k", "\xff"), Node("k", "A")});
  EXPECT_EQ(Find({{"k", nul}}), absl::StrCat("k_", nul));
  EXPECT_EQ(Find({{"k", "\xff"}}), "k_\xff");
  EXPECT_EQ(Find({{"k", "a"}}), "");
  EXPECT_EQ(Find({{"k", ""}}), "");
}

TEST_F(RulesTest, CounterPartsAreTheEntriesOfTheRequest) {
  RuleNode shared = Node("path", "/v1/*");
  shared.share = true;
  Compile({Node("user", "", {shared, Node("path", "/x*")})});
  Find({{"user", "u"}, {"path", "/xy"}});
  EXPECT_THAT(match_.parts, ElementsAre("user", "u", "path", "/xy"));
  Find({{"user", "u"}, {"path", "/v1/a"}});
  EXPECT_THAT(match_.parts, ElementsAre("user", "u", "path", "/v1/*"));
}

TEST_F(RulesTest, ManySiblingsAreDistinguished) {
  std::vector<RuleNode> nodes;
  for (int i = 0; i < 100'000; ++i) {
    nodes.push_back(Node("k", absl::StrCat("v", i)));
    if (i % 10 == 0) nodes.push_back(Node("w", absl::StrCat("w", i, "-*")));
  }
  Compile(std::move(nodes));
  EXPECT_EQ(Find({{"k", "v99999"}}), "k_v99999");
  EXPECT_EQ(Find({{"k", "v100000"}}), "");
  EXPECT_EQ(Find({{"w", "w99990-x"}}), "w_w99990-*");
}

TEST_F(RulesTest, APathologicalPatternIsMatchedQuickly) {
  Compile({Node("k", "*a*a*a*a*a*a*a*a*b")});
  EXPECT_EQ(Find({{"k", std::string(60'000, 'a')}}), "");
  EXPECT_EQ(Find({{"k", std::string(60'000, 'a') + "b"}}),
            "k_*a*a*a*a*a*a*a*a*b");
}

TEST_F(RulesTest, TwoNodesOfOneNameAreRefused) {
  for (const char* value : {"", "x", "x*"}) {
    const auto domain = CompileDomain(
        {.name = "d", .nodes = {Node("k", value), Node("k", value)}},
        *metrics_);
    EXPECT_TRUE(absl::IsInvalidArgument(domain.status()));
    EXPECT_THAT(std::string(domain.status().message()), HasSubstr("\"k\""));
  }
}

// The definition of a wildcard, without an index.
bool Glob(absl::string_view pattern, absl::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return Glob(pattern.substr(1), text) ||
           (!text.empty() && Glob(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] &&
         Glob(pattern.substr(1), text.substr(1));
}

std::string NaiveFind(const std::vector<RuleNode>& nodes,
                      absl::string_view value) {
  for (const RuleNode& node : nodes) {
    if (!node.value.empty() && node.value == value) return node.rule->path;
  }
  for (const RuleNode& node : nodes) {
    const bool wild = node.value.find('*') != std::string::npos;
    if (wild && Glob(node.value, value)) return node.rule->path;
  }
  for (const RuleNode& node : nodes) {
    if (node.value.empty()) return node.rule->path;
  }
  return "";
}

TEST_F(RulesTest, RandomLevelsMatchLikeTheNaiveSearch) {
  std::mt19937 random(7);
  const auto text = [&random](absl::string_view letters, size_t most) {
    std::string made;
    for (size_t n = random() % (most + 1); n > 0; --n) {
      made.push_back(letters[random() % letters.size()]);
    }
    return made;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<RuleNode> nodes;
    std::set<std::string> values;
    for (int i = 0; i < 8; ++i) {
      const std::string value = text("ab*", 5);
      if (values.insert(value).second) nodes.push_back(Node("k", value));
    }
    Compile(nodes);
    for (int i = 0; i < 50; ++i) {
      const std::string value = text("ab", 6);
      ASSERT_EQ(Find({{"k", value}}), NaiveFind(nodes, value)) << value;
    }
  }
}

TEST_F(RulesTest, TheScopeDependsOnDomainAndShapeButNotOnNumbers) {
  const Policy minute{.limit = 5, .window = absl::Minutes(1)};
  Policy changed = minute;
  changed.limit = 9;
  changed.burst = 2;
  EXPECT_EQ(CounterScope("d", minute), CounterScope("d", changed));
  std::set<std::string> scopes = {CounterScope("d", minute),
                                  CounterScope("e", minute)};
  changed.window = absl::Minutes(2);
  scopes.insert(CounterScope("d", changed));
  changed.algorithm = Algorithm::kTokenBucket;
  scopes.insert(CounterScope("d", changed));
  changed.calendar = Calendar::kDay;
  scopes.insert(CounterScope("d", changed));
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &changed.zone));
  scopes.insert(CounterScope("d", changed));
  EXPECT_EQ(scopes.size(), 6u);
}

class TiersTest : public RulesTest {
 protected:
  TiersTest() {
    TierSpec tiers;
    tiers.identity = {{.key = "user_id"},
                      {.key = "authorization", .strip_prefix = "Bearer "}};
    tiers.tiers = {{.path = "tier free", .tier = "free"},
                   {.path = "tier pro", .tier = "pro"}};
    tiers.assignments = {{"ann", 0}, {"bob", 1}};
    tiers.default_rule.path = "default";
    Compile(DomainSpec{.name = "d", .tiers = std::move(tiers)});
  }
};

TEST_F(TiersTest, AUserHasTheTierThatIsAssigned) {
  EXPECT_EQ(Find({{"user_id", "ann"}}), "tier free");
  EXPECT_EQ(Find({{"user_id", "bob"}}), "tier pro");
  EXPECT_EQ(Find({{"user_id", "eve"}}), "default");
  EXPECT_THAT(match_.parts, ElementsAre("user", "eve"));
}

TEST_F(TiersTest, TheFirstPresentIdentityCounts) {
  EXPECT_EQ(Find({{"remote_address", "::1"},
                  {"authorization", "bearer bob"},
                  {"model", "gpt-4"}}),
            "tier pro");
  EXPECT_THAT(match_.parts, ElementsAre("user", "bob"));
  EXPECT_EQ(Find({{"authorization", "Bearer bob"}, {"user_id", "ann"}}),
            "tier free");
  EXPECT_EQ(Find({{"authorization", ""}}), "default");
  EXPECT_THAT(match_.parts, ElementsAre("user", ""));
  EXPECT_EQ(Find({{"authorization", "Bearer ann,Bearer bob"}}), "default");
}

TEST_F(TiersTest, WithoutAnIdentityTheAddressCounts) {
  EXPECT_EQ(Find({{"remote_address", "10.0.0.1"}}), "default");
  EXPECT_THAT(match_.parts, ElementsAre("remote_address", "10.0.0.1"));
  EXPECT_EQ(Find({{"model", "gpt-4"}}), "default");
  EXPECT_THAT(match_.parts, ElementsAre("anonymous"));
}

TEST_F(TiersTest, RulesAreVisitedInFileOrderTheDefaultLast) {
  std::vector<std::string> paths;
  domain_->ForEachRule(
      [&](const CompiledRule& rule) { paths.push_back(rule.path); });
  EXPECT_THAT(paths, ElementsAre("tier free", "tier pro", "default"));
}

}  // namespace
}  // namespace rls
