#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"
#include "temp_folder.h"
#include "unit/limiter/fake_limiter.h"
#include "unit/net/certificates.h"
#include "unit/rpc/transports.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using envoy::service::ratelimit::v3::RateLimitService;
using ::testing::HasSubstr;

// TLS on both transports, tested with gRPC's own client.
class RpcTlsTest : public ::testing::TestWithParam<Transport> {
 protected:
  RpcTlsTest() { Use(NewIdentity(authority_, {})); }

  // Writes a certificate and its key to the files that the server reads.
  void Use(const Identity& identity) {
    files_.certificate_file =
        folder_.Write("server.pem", identity.CertificatePem());
    files_.key_file = folder_.Write("server.key", identity.KeyPem());
  }

  absl::Status Start() {
    auto server =
        GetParam().make({.address = "127.0.0.1:0", .threads = 1, .tls = files_},
                        handler_, *clock_, *metrics_);
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    return absl::OkStatus();
  }

  // Uses a new connection.
  grpc::Status CallWith(const std::shared_ptr<grpc::ChannelCredentials>& with) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = RateLimitService::NewStub(
        grpc::CreateCustomChannel(server_->address(), with, arguments));
    RateLimitRequest request;
    request.set_domain("d");
    request.add_descriptors()->add_entries()->set_key("k");
    RateLimitResponse response;
    grpc::ClientContext context;
    return stub->ShouldRateLimit(&context, request, &response);
  }

  grpc::Status CallTrusting(const Identity& authority,
                            const Identity* client = nullptr) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority.CertificatePem();
    if (client != nullptr) {
      options.pem_cert_chain = client->CertificatePem();
      options.pem_private_key = client->KeyPem();
    }
    return CallWith(grpc::SslCredentials(options));
  }

  const TempFolder folder_;
  const Identity authority_ = NewAuthority("authority");
  const Identity other_ = NewAuthority("other");
  ServerTlsOptions files_;
  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  FakeLimiter limiter_;
  RateLimitHandler handler_{limiter_, *clock_, {}};
  std::unique_ptr<RpcServer> server_;
};

TEST_P(RpcTlsTest, ClientsThatTrustItAreAnswered) {
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(CallTrusting(authority_).ok());
  EXPECT_EQ(CallTrusting(other_).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(CallTrusting(authority_).ok());
}

TEST_P(RpcTlsTest, ClientsWithoutTlsAreNotAnswered) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(CallWith(grpc::InsecureChannelCredentials()).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(CallTrusting(authority_).ok());
  EXPECT_EQ(limiter_.checks(), 1);
}

TEST_P(RpcTlsTest, OnlyClientsOfTheAuthorityAreAnswered) {
  files_.client_ca_file =
      folder_.Write("clients.pem", authority_.CertificatePem());
  ASSERT_TRUE(Start().ok());
  const Identity known = NewIdentity(authority_, {});
  const Identity unknown = NewIdentity(other_, {});
  EXPECT_FALSE(CallTrusting(authority_).ok());
  EXPECT_FALSE(CallTrusting(authority_, &unknown).ok());
  EXPECT_TRUE(CallTrusting(authority_, &known).ok());
  EXPECT_EQ(limiter_.checks(), 1);
}

TEST_P(RpcTlsTest, OnlyClientsOfTheNameAreAnswered) {
  files_.client_ca_file =
      folder_.Write("clients.pem", authority_.CertificatePem());
  files_.client_name = "gateway.example";
  ASSERT_TRUE(Start().ok());
  const Identity gateway =
      NewIdentity(authority_, {.alternative_names = "DNS:gateway.example"});
  const Identity another =
      NewIdentity(authority_, {.alternative_names = "DNS:other.example"});
  EXPECT_FALSE(CallTrusting(authority_, &another).ok());
  EXPECT_TRUE(CallTrusting(authority_, &gateway).ok());
  EXPECT_EQ(limiter_.checks(), 1);
}

TEST_P(RpcTlsTest, AReplacedCertificateIsUsedForLaterConnections) {
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(CallTrusting(authority_).ok());
  Use(NewIdentity(other_, {}));
  // The general transport checks its files once a second.
  const absl::Time end = absl::Now() + absl::Minutes(1);
  bool used = false;
  while (!used && absl::Now() < end) used = CallTrusting(other_).ok();
  EXPECT_TRUE(used);
  EXPECT_FALSE(CallTrusting(authority_).ok());
}

TEST_P(RpcTlsTest, FilesThatCannotBeUsedAreNamed) {
  files_.key_file = folder_.Write("bad.key", "no key\n");
  const absl::Status bad_key = Start();
  EXPECT_TRUE(absl::IsInvalidArgument(bad_key));
  EXPECT_THAT(std::string(bad_key.message()), HasSubstr(files_.key_file));

  Use(NewIdentity(authority_, {}));
  files_.certificate_file = (folder_.path() / "nowhere.pem").string();
  EXPECT_THAT(std::string(Start().message()),
              HasSubstr("nowhere.pem: No such file or directory"));

  files_ = {};
  EXPECT_THAT(std::string(Start().message()),
              HasSubstr("a server needs a certificate"));
}

TEST_P(RpcTlsTest, ANameOfClientsNeedsTheirAuthority) {
  files_.client_name = "gateway.example";
  EXPECT_THAT(std::string(Start().message()), HasSubstr("gateway.example"));
}

INSTANTIATE_TEST_SUITE_P(Transports, RpcTlsTest, BothTransports(),
                         NameOfTransport);

}  // namespace
}  // namespace rls
