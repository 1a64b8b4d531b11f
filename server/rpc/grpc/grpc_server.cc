#include "rpc/grpc/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "net/tls.h"
#include "rpc/grpc/grpc_health.h"
#include "rpc/grpc/grpc_queue.h"

namespace rls {
namespace {

using grpc::experimental::TlsCustomVerificationCheckRequest;

constexpr unsigned int kFileCheckSeconds = 1;
constexpr int kMinPingIntervalMs = 5000;

// The bounds on clients that gRPC 1.51 offers. docs/CONFIG.md names the attacks
// that they do not stop. The streams are the same as of the lean transport.
constexpr int kMaxStreams = 2'048;
constexpr int kHandshakeTimeoutMs = 30'000;
// Beyond this gRPC closes idle connections and cancels calls. It does not count
// all of its memory: the process can become larger.
constexpr size_t kMaxMemoryBytes = 256 << 20;

// Checks that the client's certificate has the given name. gRPC has already
// verified the certificate's authority.
class ClientNameVerifier final
    : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit ClientNameVerifier(std::string name) : name_(std::move(name)) {}

  bool Verify(TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>,
              grpc::Status* sync_status) override {
    const std::vector<grpc::string_ref> names = request->dns_names();
    if (std::find(names.begin(), names.end(), name_) == names.end()) {
      *sync_status = {grpc::StatusCode::UNAUTHENTICATED,
                      "the client's certificate is not for " + name_};
    }
    return true;
  }

  void Cancel(TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::string name_;
};

// The security of the port.
//
// Failure: INVALID_ARGUMENT (the text names the file and the reason).
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(
    const RpcServerOptions& options) {
  if (!options.tls.has_value()) return grpc::InsecureServerCredentials();
  const ServerTlsOptions& tls = *options.tls;
  // With unusable files gRPC would start and then refuse every client.
  if (auto context = NewServerTlsContext(tls); !context.ok()) {
    return context.status();
  }
  grpc::experimental::TlsServerCredentialsOptions credentials(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          tls.key_file, tls.certificate_file, tls.client_ca_file,
          kFileCheckSeconds));
  credentials.watch_identity_key_cert_pairs();
  if (!tls.client_ca_file.empty()) {
    credentials.watch_root_certs();
    credentials.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  if (!tls.client_name.empty()) {
    credentials.set_certificate_verifier(
        grpc::experimental::ExternalCertificateVerifier::Create<
            ClientNameVerifier>(tls.client_name));
  }
  return grpc::experimental::TlsServerCredentials(credentials);
}

// "Never" is the largest number for gRPC. For us it is zero, as for
// envoyproxy/ratelimit.
int Milliseconds(absl::Duration duration) {
  if (duration == absl::ZeroDuration()) return INT32_MAX;
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 1, INT32_MAX));
}

void ApplyOptions(const RpcServerOptions& options,
                  grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  const std::pair<const char*, int> arguments[] = {
      // A second server on the same port must fail. By default it would share
      // the port silently.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS,
       Milliseconds(options.max_connection_age)},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
       Milliseconds(options.max_connection_age_grace)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout)},
      // Headers beyond gRPC's default of 8 KiB can end the connection, which
      // other calls share.
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      // Gateways ping idle connections. By default gRPC would close such a
      // connection.
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       kMinPingIntervalMs},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs},
      // Answers are too small to benefit from compression.
      {GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0},
      // The handler checks the deadline. A timer for each call would cost more
      // than the decision.
      {GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0},
  };
  for (const auto& [name, value] : arguments) {
    builder.AddChannelArgument(name, value);
  }
  grpc::ResourceQuota quota("server");
  quota.Resize(kMaxMemoryBytes);
  builder.SetResourceQuota(quota);
  // These threads serve only reflection.
  using Sync = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(Sync::NUM_CQS, 1);
  builder.SetSyncServerOption(Sync::MIN_POLLERS, 1);
  builder.SetSyncServerOption(Sync::MAX_POLLERS, 2);
}

class GrpcServerImpl final : public RpcServer {
 public:
  GrpcServerImpl(RateLimitHandler& handler, const Clock& clock,
                 Metrics& metrics)
      : context_(handler, clock, metrics) {}

  ~GrpcServerImpl() override {
    if (server_ != nullptr) Shutdown(absl::ZeroDuration());
  }

  absl::Status Start(const RpcServerOptions& options) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    ApplyOptions(options, builder);
    int port = 0;
    absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
        CredentialsOf(options);
    if (!credentials.ok()) return credentials.status();
    builder.AddListeningPort(options.address, *credentials, &port);
    builder.RegisterService(&context_.service);
    builder.RegisterService(&health_.service());
    for (size_t i = 0; i < ThreadsOf(options); ++i) {
      queues_.push_back(
          std::make_unique<GrpcQueue>(context_, builder.AddCompletionQueue()));
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen for gRPC on ", options.address));
    }
    address_ = options.address;
    if (!absl::StartsWith(address_, "unix:")) {
      address_.resize(address_.rfind(':'));
      absl::StrAppend(&address_, ":", port);
    }
    for (const auto& queue : queues_) {
      queue->Start(queue == queues_.front() ? &health_ : nullptr);
    }
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }

  void SetServing(bool serving) override { health_.SetServing(serving); }

  void Shutdown(absl::Duration grace) override {
    health_.Stop();
    server_->Shutdown(absl::ToChronoTime(context_.clock.Now() + grace));
    queues_.clear();  // Each waits for its last call.
    server_.reset();
  }

 private:
  GrpcContext context_;
  GrpcHealth health_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<GrpcQueue>> queues_;
};

// By default gRPC writes to stderr itself, and waits for the reader.
void LogForGrpc(gpr_log_func_args* line) {
  const LogLevel level = line->severity == GPR_LOG_SEVERITY_ERROR
                             ? LogLevel::kWarning
                             : LogLevel::kDebug;
  Log(level, absl::StrCat("gRPC: ", line->message));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> NewGrpcServer(
    const RpcServerOptions& options, RateLimitHandler& handler,
    const Clock& clock, Metrics& metrics) {
  gpr_set_log_function(LogForGrpc);
  const RpcServerOptions defaults;
  if (options.max_connections != defaults.max_connections ||
      options.max_connections_per_peer != defaults.max_connections_per_peer) {
    LogWarning(
        "--transport grpc accepts any number of connections: MAX_CONNECTIONS "
        "and MAX_CONNECTIONS_PER_PEER have no effect on its port");
  }
  auto server = std::make_unique<GrpcServerImpl>(handler, clock, metrics);
  if (absl::Status started = server->Start(options); !started.ok()) {
    return started;
  }
  return server;
}

}  // namespace rls
