#include "rules/network.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rules/domain.h"

namespace rls {
namespace {

TEST(NetworkTest, AnAddressMayHaveAPortOrAZone) {
  const std::pair<const char*, const char*> cases[] = {
      {"203.0.113.9", "203.0.113.9"},
      {"203.0.113.9:80", "203.0.113.9"},
      {"203.0.113.9:65535", "203.0.113.9"},
      {"2001:db8::1", "2001:db8::1"},
      {"[2001:db8::1]", "2001:db8::1"},
      {"[2001:db8::1]:443", "2001:db8::1"},
      {"fe80::1%eth0", "fe80::1"},
      {"[fe80::1%eth0]:80", "fe80::1"},
      // No such form:
      {"", ""},
      {"203.0.113.9:", "203.0.113.9:"},
      {"203.0.113.9:65536", "203.0.113.9:65536"},
      {"203.0.113.9:http", "203.0.113.9:http"},
      {"203.0.113.9%eth0", "203.0.113.9%eth0"},
      {"[2001:db8::1", "[2001:db8::1"},
      {"[2001:db8::1]443", "[2001:db8::1]443"},
      {"localhost:80", "localhost:80"},
      {"[]:80", "[]:80"},
  };
  for (const auto& [text, bare] : cases) {
    EXPECT_EQ(BareAddress(text), bare) << text;
  }
}

class NetworkNodeTest : public ::testing::Test {
 protected:
  void Compile(std::vector<RuleNode> nodes) {
    auto domain = CompileDomain(
        DomainSpec{.name = "d", .nodes = std::move(nodes)}, *metrics_);
    ASSERT_TRUE(domain.ok()) << domain.status();
    domain_ = *std::move(domain);
  }
  static RuleNode Addresses(const std::string& key) {
    RuleNode node{.key = key, .rule = Rule{.path = key}};
    node.networks = NetworkPrefixes{.ipv4 = 24, .ipv6 = 48};
    return node;
  }
  // The parts of the counter key, joined by spaces.
  std::string KeyOf(const std::vector<Entry>& entries) {
    domain_->Find(entries, match_);
    EXPECT_NE(match_.rule, nullptr);
    std::string key;
    for (const absl::string_view part : match_.parts) {
      key.append(key.empty() ? "" : " ").append(part.data(), part.size());
    }
    return key;
  }

  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  std::shared_ptr<const Domain> domain_;
  Match match_;
};

TEST_F(NetworkNodeTest, AddressesOfOneNetworkShareACounter) {
  Compile({Addresses("ip")});
  EXPECT_EQ(KeyOf({{"ip", "203.0.113.9"}}), "ip 203.0.113.0");
  EXPECT_EQ(KeyOf({{"ip", "203.0.113.7:4711"}}), "ip 203.0.113.0");
  EXPECT_EQ(KeyOf({{"ip", "203.0.114.9"}}), "ip 203.0.114.0");
  EXPECT_EQ(KeyOf({{"ip", "[2001:db8:1:2::3]:80"}}), "ip 2001:db8:1::");
  EXPECT_EQ(KeyOf({{"ip", "no address"}}), "ip no address");
}

TEST_F(NetworkNodeTest, EachLevelHasItsOwnPrefix) {
  RuleNode from = Addresses("from");
  from.children = {Addresses("to")};
  from.children[0].networks = NetworkPrefixes{.ipv4 = 8};
  Compile({from});
  EXPECT_EQ(KeyOf({{"from", "203.0.113.9"}, {"to", "198.51.100.7"}}),
            "from 203.0.113.0 to 198.0.0.0");
}

// Envoy Gateway turns the dots of a host into underscores.
TEST_F(NetworkNodeTest, StarsAndNetworksOfAGatewayMatchByTheirText) {
  RuleNode host{.key = "r/*_example_com", .value = "r/*_example_com"};
  RuleNode inverted{.key = "masked_remote_address",
                    .value = "invert:10.0.0.0/8",
                    .rule = Rule{.path = "inverted"}};
  host.children = {inverted};
  Compile({host});
  EXPECT_EQ(KeyOf({{"r/*_example_com", "r/*_example_com"},
                   {"masked_remote_address", "invert:10.0.0.0/8"}}),
            "r/*_example_com r/*_example_com masked_remote_address "
            "invert:10.0.0.0/8");
}

}  // namespace
}  // namespace rls
