#include "rpc/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "rpc/grpc_credentials.h"
#include "rpc/grpc_queue.h"
#include "rpc/health.h"

namespace rls {
namespace {

constexpr int kMinPingIntervalMs = 5000;

// gRPC's word for never is the largest number; ours is zero, as the
// reference's.
int Milliseconds(absl::Duration duration) {
  if (duration == absl::ZeroDuration()) return INT32_MAX;
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 1, INT32_MAX));
}

void ApplyOptions(const RpcServerOptions& options,
                  grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  const std::pair<const char*, int> arguments[] = {
      // A second server on a taken port must fail, not share it silently.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS,
       Milliseconds(options.max_connection_age)},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
       Milliseconds(options.max_connection_age_grace)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout)},
      // A call beyond gRPC's own 8 KiB can end the connection that others
      // share.
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      // Gateways ping idle connections; that is no reason to cut them off.
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       kMinPingIntervalMs},
      // Answers are too small to gain by it.
      {GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0},
      // The handler judges the deadline itself; a timer of gRPC for each call
      // costs more than the decision.
      {GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0},
  };
  for (const auto& [name, value] : arguments) {
    builder.AddChannelArgument(name, value);
  }
  // Only reflection runs on these threads.
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
    server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
    queues_.clear();  // Each waits for its last call.
    server_.reset();
  }

 private:
  GrpcContext context_;
  Health health_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<GrpcQueue>> queues_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> NewGrpcServer(
    const RpcServerOptions& options, RateLimitHandler& handler,
    const Clock& clock, Metrics& metrics) {
  auto server = std::make_unique<GrpcServerImpl>(handler, clock, metrics);
  if (absl::Status started = server->Start(options); !started.ok()) {
    return started;
  }
  return server;
}

}  // namespace rls
