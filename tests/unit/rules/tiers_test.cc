// The identity of requests: users that are listed by hash, anonymous requests,
// and exempt requests.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "metrics/metrics.h"
#include "rules/domain.h"

namespace rls {
namespace {

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() {
    spec_.identity = {{.key = "user_id"},
                      {.key = "authorization", .strip_prefix = "Bearer "}};
    spec_.tiers = {
        {.path = "tier pro", .policy = {.limit = 50}, .tier = "pro"}};
    spec_.default_rule = {.path = "default", .policy = {.limit = 10}};
  }

  Match Find(const std::vector<Entry>& entries) {
    if (domain_ == nullptr) {
      auto domain = CompileDomain({.name = "d", .tiers = spec_}, *metrics_);
      EXPECT_TRUE(domain.ok()) << domain.status();
      domain_ = *std::move(domain);
    }
    Match match;
    domain_->Find(entries, match);
    return match;
  }
  // The rule's path and the parts of the counter key, as one text.
  std::string RuleAndKey(const std::vector<Entry>& entries) {
    const Match match = Find(entries);
    std::string text = match.rule->path;
    for (const absl::string_view part : match.parts) {
      absl::StrAppend(&text, " ", part);
    }
    return text;
  }

  TierSpec spec_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  std::shared_ptr<const Domain> domain_;
};

TEST_F(IdentityTest, AnApiKeyMayBeListedByItsHash) {
  spec_.hashed_assignments = {{Sha256Hex("sk-secret"), 0}};
  const Match match = Find({{"authorization", "Bearer sk-secret"}});
  EXPECT_EQ(match.rule->path, "tier pro");
  EXPECT_TRUE(match.secret);
  EXPECT_EQ(RuleAndKey({{"authorization", "Bearer sk-other"}}),
            "default user sk-other");
  // A request cannot use the hash from the file as its identity.
  EXPECT_EQ(Find({{"user_id", "sha256:" + Sha256Hex("sk-secret")}}).rule->path,
            "default");
}

TEST_F(IdentityTest, TheHashIsTheStandardOne) {
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(IdentityTest, WithoutAnAnonymousLimitEachIdentityHasACounter) {
  EXPECT_EQ(RuleAndKey({{"user_id", "who"}}), "default user who");
  EXPECT_EQ(RuleAndKey({{"remote_address", "203.0.113.9"}}),
            "default remote_address 203.0.113.9");
  // A port or a zone is no part of an address.
  EXPECT_EQ(RuleAndKey({{"remote_address", "203.0.113.9:4711"}}),
            "default remote_address 203.0.113.9");
  EXPECT_EQ(RuleAndKey({{"remote_address", "[fe80::1%eth0]:80"}}),
            "default remote_address fe80::1");
  EXPECT_EQ(RuleAndKey({}), "default anonymous");
}

TEST_F(IdentityTest, AnonymousRequestsAreCountedByNetwork) {
  spec_.assignments = {{"alice", 0}};
  spec_.anonymous = AnonymousSpec{.rule = {.path = "anonymous"},
                                  .networks = {.ipv4 = 24, .ipv6 = 64}};
  const auto key_of = [this](const char* address) {
    return RuleAndKey({{"remote_address", address}});
  };
  EXPECT_EQ(key_of("203.0.113.9"), "anonymous remote_address 203.0.113.0");
  EXPECT_EQ(key_of("203.0.113.200"), key_of("203.0.113.9"));
  EXPECT_NE(key_of("203.0.114.9"), key_of("203.0.113.9"));
  EXPECT_EQ(key_of("::ffff:203.0.113.7"), key_of("203.0.113.9"));
  EXPECT_EQ(key_of("203.0.113.8:80"), key_of("203.0.113.9"));
  EXPECT_EQ(key_of("[2001:db8:1:2::7]:443"), key_of("2001:db8:1:2:3::4"));
  EXPECT_EQ(key_of("2001:db8:1:2:3::4"),
            "anonymous remote_address 2001:db8:1:2::");
  EXPECT_EQ(key_of("no address"), "anonymous remote_address no address");
  EXPECT_EQ(RuleAndKey({}), "anonymous anonymous");
  // A client that is not listed could choose any name.
  EXPECT_EQ(RuleAndKey({{"user_id", "who"}, {"remote_address", "203.0.113.9"}}),
            "anonymous remote_address 203.0.113.0");
  EXPECT_EQ(
      RuleAndKey({{"user_id", "alice"}, {"remote_address", "203.0.113.9"}}),
      "tier pro user alice");
}

TEST_F(IdentityTest, UnknownUsersMayHaveTheirOwnCounters) {
  spec_.anonymous =
      AnonymousSpec{.rule = {.path = "anonymous"}, .unknown_users = false};
  EXPECT_EQ(RuleAndKey({{"user_id", "who"}}), "default user who");
  EXPECT_EQ(RuleAndKey({}), "anonymous anonymous");
}

TEST_F(IdentityTest, ASharedLimitIsOneCounter) {
  spec_.anonymous =
      AnonymousSpec{.rule = {.path = "anonymous"}, .by_address = false};
  EXPECT_EQ(RuleAndKey({{"remote_address", "203.0.113.9"}}),
            "anonymous anonymous");
}

TEST_F(IdentityTest, ExemptRequestsPassWithoutCounting) {
  spec_.exempt = ExemptSpec{
      .users = {"monitor"},
      .hashed_users = {Sha256Hex("sk-admin")},
      .networks = {*Network::Parse("10.0.0.0/8"), *Network::Parse("::1")}};
  for (const std::vector<Entry>& entries :
       {std::vector<Entry>{{"user_id", "monitor"}},
        std::vector<Entry>{{"authorization", "Bearer sk-admin"}},
        std::vector<Entry>{{"user_id", "who"}, {"remote_address", "10.9.9.9"}},
        std::vector<Entry>{{"remote_address", "10.9.9.9:80"}},
        std::vector<Entry>{{"remote_address", "::1"}}}) {
    EXPECT_TRUE(Find(entries).rule->unlimited);
  }
  for (const std::vector<Entry>& entries :
       {std::vector<Entry>{{"user_id", "monitor2"}},
        std::vector<Entry>{{"user_id", "10.0.0.1"}},
        std::vector<Entry>{{"remote_address", "11.0.0.1"}},
        std::vector<Entry>{{"remote_address", "10.0.0"}},
        std::vector<Entry>{{"remote_address", ""}}, std::vector<Entry>{}}) {
    EXPECT_FALSE(Find(entries).rule->unlimited);
  }
}

TEST(NetworkTest, ParsesNetworksOnly) {
  for (const char* good : {"10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0", "10.0.0.1",
                           "2001:db8::/32", "::/0", "::1/128"}) {
    EXPECT_TRUE(Network::Parse(good).has_value()) << good;
  }
  for (const char* bad :
       {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "::1/129",
        "host/8", "10.0.0.0/8/8", "10.0.0.0/ 8x", "::ffff:10.0.0.1/24"}) {
    EXPECT_FALSE(Network::Parse(bad).has_value()) << bad;
  }
  EXPECT_FALSE(ParseIpAddress(absl::string_view("10.0.0.1\0x", 10)));
  EXPECT_TRUE(Network::Parse("::ffff:10.0.0.1/104")
                  ->Contains(*ParseIpAddress("10.9.9.9")));
  const Network all = *Network::Parse("0.0.0.0/0");
  EXPECT_TRUE(all.Contains(*ParseIpAddress("255.1.2.3")));
  EXPECT_FALSE(all.Contains(*ParseIpAddress("::2")));
  const Network odd = *Network::Parse("10.0.0.128/25");
  EXPECT_TRUE(odd.Contains(*ParseIpAddress("10.0.0.129")));
  EXPECT_FALSE(odd.Contains(*ParseIpAddress("10.0.0.127")));
}

}  // namespace
}  // namespace rls
