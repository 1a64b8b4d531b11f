#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "temp_folder.h"
#include "unit/net/certificates.h"
#include "unit/xds/xds_fixture.h"
#include "xds/xds_client.h"

namespace rls {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class XdsFaultsTest : public XdsFixture {};

TEST_F(XdsFaultsTest, ANewStreamNamesTheLastAcceptedVersion) {
  AdsServer server;
  server.Set("5", {OneLimit("a", "x", 1)});
  StartClient(server.address());
  Request(server, 2);
  server.CloseStreams();
  const DiscoveryRequest first = Request(server, 3);
  EXPECT_EQ(server.streams(), 2);
  EXPECT_EQ(first.version_info(), "5");
  EXPECT_EQ(first.response_nonce(), "");
  EXPECT_EQ(first.node().id(), "default");
  EXPECT_FALSE(first.has_error_detail());
  Request(server, 4);
  // Nothing has changed, so nothing is compiled again.
  EXPECT_EQ(snapshots(), 1);
}

// A server without resources and without a version does not answer a client
// that names no version. So the client must name one, even if it has accepted
// none.
TEST_F(XdsFaultsTest, RulesThatWereDeletedBetweenTwoStreamsAreRemoved) {
  std::optional<AdsServer> server(std::in_place);
  const int port = server->port();
  server->Set("5", {OneLimit("a", "x", 1), BadUnit("b", "y")});
  StartClient(server->address());
  ASSERT_TRUE(WaitForSnapshots(1));
  EXPECT_THAT(InForce(), ElementsAre("x=1"));
  server.reset();
  server.emplace(port);
  server->Set("", {});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), IsEmpty());
  EXPECT_EQ(Request(*server, 1).version_info(), "5");
}

TEST_F(XdsFaultsTest, RulesStayWhileTheServerIsAway) {
  std::optional<AdsServer> server(std::in_place);
  const int port = server->port();
  server->Set("9", {OneLimit("a", "x", 1), OneLimit("b", "y", 2)});
  StartClient(server->address());
  Request(*server, 2);
  server.reset();
  ASSERT_TRUE(WaitUntil("the end of the stream", [&] {
    return HasMetric("ratelimitd_xds_connected 0");
  }));
  EXPECT_EQ(snapshots(), 1);
  // Servers count versions from 1 again, so the text of a version means
  // nothing.
  server.emplace(port);
  server->Set("1", {OneLimit("a", "x", 3)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("x=3"));
  EXPECT_EQ(Request(*server, 1).version_info(), "9");
  EXPECT_EQ(Request(*server, 2).version_info(), "1");
}

TEST_F(XdsFaultsTest, AServerThatRestartsWithTheSameVersionIsHeard) {
  std::optional<AdsServer> server(std::in_place);
  const int port = server->port();
  server->Set("1", {OneLimit("a", "x", 1)});
  StartClient(server->address());
  Request(*server, 2);
  server.reset();
  server.emplace(port);
  server->Set("1", {OneLimit("a", "x", 2)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("x=2"));
}

TEST_F(XdsFaultsTest, AServerMayComeAfterTheClient) {
  std::optional<AdsServer> server(std::in_place);
  const int port = server->port();
  const std::string address = server->address();
  server.reset();
  StartClient(address);
  ASSERT_TRUE(WaitForAttempts(3));
  server.emplace(port);
  server->Set("1", {OneLimit("a", "x", 1)});
  ASSERT_TRUE(WaitForSnapshots(1));
}

// A server that accepts connections and ends each stream at once.
TEST_F(XdsFaultsTest, StreamsThatEndAtOnceAreSpacedOut) {
  AdsServer server;
  server.RefuseStreams();
  options_.backoff_initial = absl::Milliseconds(50);
  options_.backoff_max = absl::Milliseconds(200);
  options_.backoff_random_factor = 0;
  const absl::Duration start = clock_->Elapsed();
  StartClient(server.address());
  ASSERT_TRUE(WaitUntil("five streams", [&] { return server.streams() >= 5; }));
  EXPECT_GE(clock_->Elapsed() - start,
            absl::Milliseconds(50 + 100 + 200 + 200));
}

// A response does not make a stream steady.
TEST_F(XdsFaultsTest, StreamsThatEndAfterAResponseAreSpacedOutToo) {
  AdsServer server;
  server.Set("1", {OneLimit("a", "x", 1)});
  options_.backoff_initial = absl::Milliseconds(50);
  options_.backoff_random_factor = 0;
  const absl::Duration start = clock_->Elapsed();
  StartClient(server.address());
  for (size_t stream = 1; stream <= 4; ++stream) {
    ASSERT_TRUE(
        WaitUntil("a response", [&] { return server.responses() >= stream; }));
    server.CloseStreams();
  }
  EXPECT_GE(clock_->Elapsed() - start, absl::Milliseconds(50 + 100 + 200));
}

TEST_F(XdsFaultsTest, RepeatedRefusalsAreHeldBack) {
  AdsServer server;
  server.Set("1", {BadUnit("a", "x")});
  const absl::Duration start = clock_->Elapsed();
  StartClient(server.address());
  ASSERT_TRUE(
      WaitUntil("five responses", [&] { return server.responses() >= 5; }));
  // The second response is the first one that repeats another.
  EXPECT_GE(clock_->Elapsed() - start, kFirstXdsHold * (1 + 2 + 4));
  EXPECT_EQ(snapshots(), 1);
  server.Set("2", {OneLimit("a", "x", 1)});
  ASSERT_TRUE(WaitForSnapshots(2));
  EXPECT_THAT(InForce(), ElementsAre("x=1"));
}

TEST_F(XdsFaultsTest, AClientEndsWhileItWaits) {
  AdsServer refusing;
  refusing.RefuseStreams();
  options_.backoff_initial = options_.backoff_max = absl::Hours(1);
  StartClient(refusing.address());
  ASSERT_TRUE(WaitUntil("a stream", [&] { return refusing.streams() > 0; }));
  client_.reset();
  AdsServer silent;
  StartClient(silent.address());
  Request(silent, 1);
  client_.reset();
}

// Files of TLS for a client and credentials for a server, of one authority.
class XdsTlsTest : public XdsFixture {
 protected:
  XdsTlsTest() { Issue(); }

  // Issues new certificates from a new authority.
  void Issue() {
    const Identity authority = NewAuthority("authority");
    const Identity client = NewIdentity(authority, {.name = "client"});
    const Identity server = NewIdentity(authority, {.name = "server"});
    ca_ = authority.CertificatePem();
    client_certificate_ = client.CertificatePem();
    client_key_ = client.KeyPem();
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = ca_;
    options.pem_key_cert_pairs = {{server.KeyPem(), server.CertificatePem()}};
    server_credentials_ = grpc::SslServerCredentials(options);
  }

  void WriteFiles() {
    folder_.Write("ca", ca_);
    folder_.Write("certificate", client_certificate_);
    folder_.Write("key", client_key_);
    options_.tls = {.ca_file = folder_.path() / "ca",
                    .certificate_file = folder_.path() / "certificate",
                    .key_file = folder_.path() / "key"};
  }

  TempFolder folder_;
  std::string ca_, client_certificate_, client_key_;
  std::shared_ptr<grpc::ServerCredentials> server_credentials_;
};

TEST_F(XdsTlsTest, BothSidesShowTheirCertificates) {
  WriteFiles();
  AdsServer server(0, server_credentials_);
  server.Set("1", {OneLimit("a", "x", 1)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
}

TEST_F(XdsTlsTest, AnotherNameOfTheServerCanBeExpected) {
  WriteFiles();
  AdsServer server(0, server_credentials_);
  server.Set("1", {OneLimit("a", "x", 1)});
  options_.tls->server_name = "elsewhere";
  StartClient(server.address());
  ASSERT_TRUE(WaitForAttempts(3));
  EXPECT_EQ(snapshots(), 0);
  options_.tls->server_name = "localhost";
  client_.reset();
  StartClient(server.address());
  ASSERT_TRUE(WaitForSnapshots(1));
}

TEST_F(XdsTlsTest, AServerOfAnotherAuthorityGetsNoStream) {
  WriteFiles();
  Issue();
  AdsServer server(0, server_credentials_);
  server.Set("1", {OneLimit("a", "x", 1)});
  StartClient(server.address());
  ASSERT_TRUE(WaitForAttempts(3));
  EXPECT_EQ(server.streams(), 0);
}

TEST_F(XdsTlsTest, ReplacedFilesAreReadForTheNextStream) {
  WriteFiles();
  std::optional<AdsServer> server(std::in_place, 0, server_credentials_);
  const int port = server->port();
  server->Set("1", {OneLimit("a", "x", 1)});
  StartClient(server->address());
  Request(*server, 2);
  server.reset();
  Issue();
  WriteFiles();
  server.emplace(port, server_credentials_);
  server->Set("2", {OneLimit("a", "x", 2)});
  ASSERT_TRUE(WaitForSnapshots(2));
}

TEST_F(XdsTlsTest, FilesThatDoNotMatchAreNotUsed) {
  WriteFiles();
  AdsServer server(0, server_credentials_);
  server.Set("1", {OneLimit("a", "x", 1)});
  StartClient(server.address());
  Request(server, 2);
  Issue();
  folder_.Write("key", client_key_);
  server.CloseStreams();
  Request(server, 3);
  EXPECT_EQ(server.streams(), 2);
}

TEST_F(XdsTlsTest, FilesMayComeAfterTheClient) {
  AdsServer server(0, server_credentials_);
  server.Set("1", {OneLimit("a", "x", 1)});
  WriteFiles();
  std::filesystem::remove(folder_.path() / "key");
  StartClient(server.address());
  ASSERT_TRUE(WaitForAttempts(2));
  EXPECT_EQ(server.streams(), 0);
  WriteFiles();
  ASSERT_TRUE(WaitForSnapshots(1));
}

}  // namespace
}  // namespace rls
