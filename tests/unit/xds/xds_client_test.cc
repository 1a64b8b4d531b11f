#include "xds/xds_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/xds/xds_fixture.h"

namespace rls {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class XdsClientTest : public XdsFixture {};

TEST_F(XdsClientTest, TheFirstConfigurationComesIntoForce) {
  AdsServer server;
  server.Set("1", {OneLimit("b", "y", 2), OneLimit("a", "x", 1)});
  options_.node_id = "envoy-ratelimit";
  options_.node_metadata = {{"zone", "west"}};
  options_.headers = {{"X-Token", "secret"}};
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_EQ(last().version, "1");
  EXPECT_THAT(last().errors, IsEmpty());
  EXPECT_THAT(InForce(), ElementsAre("x=1", "y=2"));

  const DiscoveryRequest first = Request(server, 1);
  EXPECT_EQ(first.node().id(), "envoy-ratelimit");
  EXPECT_EQ(first.node().metadata().fields().at("zone").string_value(), "west");
  EXPECT_EQ(first.type_url(), kRateLimitType);
  EXPECT_EQ(first.version_info(), "");
  EXPECT_EQ(first.response_nonce(), "");
  EXPECT_THAT(first.resource_names(), IsEmpty());
  EXPECT_EQ(server.header("x-token"), "secret");
  const DiscoveryRequest ack = Request(server, 2);
  EXPECT_EQ(ack.version_info(), "1");
  EXPECT_EQ(ack.response_nonce(), "nonce 1");
  EXPECT_EQ(ack.type_url(), kRateLimitType);
  EXPECT_FALSE(ack.has_error_detail());
  EXPECT_TRUE(HasMetric("ratelimitd_xds_connected 1"));
  EXPECT_TRUE(HasMetric("ratelimitd_xds_domains 2"));
  EXPECT_TRUE(
      HasMetric("ratelimitd_xds_responses_total{result=\"accepted\"} 1"));
}

TEST_F(XdsClientTest, AnUpdateReplacesTheRules) {
  AdsServer server;
  server.Set("1", {OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  server.Set("2", {OneLimit("a", "x", 5)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("x=5"));
  EXPECT_EQ(Request(server, 3).version_info(), "2");
}

// Envoy Gateway sends this after the last policy is deleted.
TEST_F(XdsClientTest, NoVersionAndNoResourcesMeanNoDomains) {
  AdsServer server;
  server.Set("7", {OneLimit("a", "x", 1)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  server.Set("", {});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(last().domains, IsEmpty());
  EXPECT_THAT(last().errors, IsEmpty());
  const DiscoveryRequest ack = Request(server, 3);
  EXPECT_EQ(ack.version_info(), "");
  EXPECT_EQ(ack.response_nonce(), "nonce 2");
  EXPECT_FALSE(ack.has_error_detail());
  server.Set("1", {OneLimit("a", "x", 2)});
  ASSERT_TRUE(WaitForSnapshots(3));
  EXPECT_THAT(InForce(), ElementsAre("x=2"));
}

TEST_F(XdsClientTest, AnEmptyFirstResponseIsASnapshot) {
  AdsServer server;
  server.Set("1", {});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_EQ(last().version, "1");
  EXPECT_THAT(last().domains, IsEmpty());
}

TEST_F(XdsClientTest, AServerMayStaySilent) {
  AdsServer server;
  StartClient(server.address());
  Request(server, 1);
  EXPECT_EQ(snapshots(), 0);
  server.Set("1", {OneLimit("a", "x", 1)});
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_EQ(server.streams(), 1);
}

TEST_F(XdsClientTest, GoodResourcesApplyBesideABadOne) {
  AdsServer server;
  server.Set("1", {OneLimit("a", "x", 1), OneLimit("b", "y", 1)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  server.Set("2",
             {BadUnit("a", "x"), OneLimit("b", "y", 2), OneLimit("c", "z", 2)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("x=1", "y=2", "z=2"));
  ASSERT_THAT(last().errors, SizeIs(1));
  EXPECT_EQ(last().errors[0].resource, "a");
  const DiscoveryRequest nack = Request(server, 3);
  EXPECT_EQ(nack.version_info(), "1");
  EXPECT_EQ(nack.response_nonce(), "nonce 2");
  EXPECT_THAT(nack.error_detail().message(),
              HasSubstr("resource \"a\": descriptor \"user\": unit: found "
                        "UNKNOWN"));
  EXPECT_TRUE(HasMetric("ratelimitd_xds_errors 1"));
  server.Set("3", {OneLimit("a", "x", 3)});
  ASSERT_TRUE(WaitForSnapshots(3));
  EXPECT_THAT(InForce(), ElementsAre("x=3"));
  EXPECT_TRUE(HasMetric("ratelimitd_xds_errors 0"));
}

TEST_F(XdsClientTest, AResourceOfAnotherTypeIsRefusedAlone) {
  AdsServer server;
  DiscoveryResponse response;
  response.set_version_info("1");
  response.set_type_url(kRateLimitType);
  *response.add_resources() = Pack(OneLimit("a", "x", 1));
  response.add_resources()->set_type_url("type.googleapis.com/other.Type");
  server.SetResponse(response);
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_THAT(InForce(), ElementsAre("x=1"));
  EXPECT_THAT(Request(server, 2).error_detail().message(),
              HasSubstr("found type \"type.googleapis.com/other.Type\""));
}

TEST_F(XdsClientTest, AResourceMayBeWrapped) {
  AdsServer server;
  DiscoveryResponse response;
  response.set_version_info("1");
  response.set_type_url(kRateLimitType);
  envoy::service::discovery::v3::Resource wrapper;
  wrapper.set_name("wrapped");
  *wrapper.mutable_resource() = Pack(OneLimit("a", "x", 1));
  response.add_resources()->PackFrom(wrapper);
  server.SetResponse(response);
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_THAT(InForce(), ElementsAre("x=1"));
  EXPECT_EQ(last().domains[0].resource, "wrapped");
}

TEST_F(XdsClientTest, AResponseOfAnotherTypeIsIgnored) {
  AdsServer server;
  DiscoveryResponse other;
  other.set_version_info("1");
  other.set_type_url("type.googleapis.com/other.Type");
  server.SetResponse(other);
  StartClient(server.address());
  ASSERT_TRUE(WaitUntil("the count", [&] {
    return HasMetric("ratelimitd_xds_responses_total{result=\"ignored\"} 1");
  }));
  EXPECT_EQ(snapshots(), 0);
  EXPECT_THAT(server.requests(), SizeIs(1));
}

// More than the 4 MiB that gRPC takes by default.
TEST_F(XdsClientTest, TenThousandResourcesAreOneResponse) {
  constexpr int kResources = 10'000;
  std::vector<RateLimitConfig> resources;
  size_t bytes = 0;
  for (int i = 0; i < kResources; ++i) {
    resources.push_back(
        OneLimit(absl::StrCat("r", i), absl::StrCat("d", i), i));
    resources.back().mutable_descriptors(0)->set_value(std::string(500, 'v'));
    bytes += resources.back().ByteSizeLong();
  }
  ASSERT_GT(bytes, size_t{5} << 20);
  AdsServer server;
  server.Set("1", resources);
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_THAT(last().domains, SizeIs(kResources));
  EXPECT_THAT(last().errors, IsEmpty());
  EXPECT_EQ(Request(server, 2).version_info(), "1");
}

// The text of a refusal must not grow with the number of bad resources.
TEST_F(XdsClientTest, ARefusalNamesSomeOfManyBadResources) {
  std::vector<RateLimitConfig> resources;
  for (int i = 0; i < 1000; ++i) {
    resources.push_back(BadUnit(absl::StrCat("r", i), absl::StrCat("d", i)));
  }
  AdsServer server;
  server.Set("1", resources);
  StartClient(server.address());
  const std::string text = Request(server, 2).error_detail().message();
  EXPECT_THAT(text, HasSubstr("resource \"r0\""));
  EXPECT_THAT(text, HasSubstr("and 980 more"));
  EXPECT_LT(text.size(), 8192);
}

TEST_F(XdsClientTest, ALargerResponseThanAllowedEndsTheStream) {
  AdsServer server;
  server.Set("1", {OneLimit("a", std::string(2000, 'x'), 1)});
  options_.max_response_bytes = 1000;
  StartClient(server.address());
  ASSERT_TRUE(
      WaitUntil("a second stream", [&] { return server.streams() >= 2; }));
  EXPECT_EQ(snapshots(), 0);
}

TEST_F(XdsClientTest, OptionsWithoutMeaningAreRefused) {
  std::vector<XdsOptions> bad(9);
  bad[0].server = "";
  bad[1].headers = {{"a b", "c"}};
  bad[2].headers = {{"a", "\x01"}};
  bad[3].headers = {{"a", "\xc3\xa4"}};
  bad[4].node_id = "\xff";
  bad[5].max_response_bytes = 0;
  bad[6].backoff_initial = absl::ZeroDuration();
  bad[7].backoff_max = absl::Milliseconds(1);
  bad[8].backoff_random_factor = 1.1;
  for (size_t i = 0; i < bad.size(); ++i) {
    EXPECT_EQ(NewXdsClient(
                  bad[i], [](const XdsSnapshot&) {}, *metrics_, *clock_)
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument)
        << i;
  }
}

class XdsDeltaTest : public XdsFixture {
 protected:
  XdsDeltaTest() { options_.protocol = XdsProtocol::kDelta; }

  static DeltaDiscoveryRequest DeltaRequest(const AdsServer& server,
                                            size_t count) {
    WaitUntil(absl::StrCat("request ", count),
              [&] { return server.delta_requests().size() >= count; });
    return server.delta_requests().at(count - 1);
  }
};

TEST_F(XdsDeltaTest, ChangesAndRemovalsComeIntoForce) {
  AdsServer server;
  server.SetDelta({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_THAT(InForce(), ElementsAre("x=1", "y=2"));
  const DeltaDiscoveryRequest first = DeltaRequest(server, 1);
  EXPECT_EQ(first.type_url(), kRateLimitType);
  EXPECT_EQ(first.node().id(), "default");
  EXPECT_EQ(first.initial_resource_versions_size(), 0);
  const DeltaDiscoveryRequest ack = DeltaRequest(server, 2);
  EXPECT_EQ(ack.response_nonce(), "nonce 1");
  EXPECT_FALSE(ack.has_error_detail());
  server.SetDelta({OneLimit("b", "y", 3), OneLimit("c", "z", 4)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("y=3", "z=4"));
  server.SetDelta({});
  ASSERT_TRUE(WaitForSnapshots(3));
  EXPECT_THAT(InForce(), IsEmpty());
}

TEST_F(XdsDeltaTest, ABadResourceIsRefusedAndKeepsItsRules) {
  AdsServer server;
  server.SetDelta({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  server.SetDelta({BadUnit("a", "x"), OneLimit("b", "y", 3)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("x=1", "y=3"));
  const DeltaDiscoveryRequest nack = DeltaRequest(server, 3);
  EXPECT_EQ(nack.response_nonce(), "nonce 2");
  EXPECT_THAT(nack.error_detail().message(), HasSubstr("resource \"a\": "));
}

// The server must know of the bad resource, or it would not say that it is
// removed.
TEST_F(XdsDeltaTest, ANewStreamNamesTheVersionsOfAllResources) {
  AdsServer server;
  server.SetDelta({OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
  server.SetDelta({OneLimit("a", "x", 1), BadUnit("b", "y")});
  ASSERT_TRUE(WaitForSnapshots(2));
  DeltaRequest(server, 3);
  server.CloseStreams();
  const DeltaDiscoveryRequest first = DeltaRequest(server, 4);
  EXPECT_EQ(first.response_nonce(), "");
  EXPECT_EQ(first.initial_resource_versions_size(), 2);
  EXPECT_NE(first.initial_resource_versions().at("a"), "");
  server.SetDelta({});
  ASSERT_TRUE(WaitForSnapshots(3));
  EXPECT_THAT(InForce(), IsEmpty());
}

}  // namespace
}  // namespace rls
