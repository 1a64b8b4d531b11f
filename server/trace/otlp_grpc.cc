#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "trace/span_exporter.h"

namespace rls {
namespace {

using opentelemetry::proto::collector::trace::v1::TraceService;

constexpr int kMaxBackoffMs = 5'000;
// Servers in Go end a connection with a PING more often than every 5 minutes.
constexpr int kPingIntervalMs = 310'000;
constexpr int kPingTimeoutMs = 20'000;

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  return ReadFile(path, kMaxPemBytes);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(
    const OtlpOptions& options) {
  if (!options.use_tls) return grpc::InsecureChannelCredentials();
  auto ca = ReadPem(options.ca_file);
  auto certificate = ReadPem(options.certificate_file);
  auto key = ReadPem(options.key_file);
  for (const auto* file : {&ca, &certificate, &key}) {
    if (!file->ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("traces: ", file->status().message()));
    }
  }
  return grpc::SslCredentials({.pem_root_certs = *std::move(ca),
                               .pem_private_key = *std::move(key),
                               .pem_cert_chain = *std::move(certificate)});
}

// The codes after which OTLP allows another attempt.
bool CanRetry(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
      return true;
    default:
      return false;
  }
}

class GrpcExporter final : public SpanExporter {
 public:
  GrpcExporter(const OtlpOptions& options,
               const std::shared_ptr<grpc::ChannelCredentials>& credentials)
      : options_(options),
        stub_(TraceService::NewStub(
            grpc::CreateCustomChannel(absl::StrCat("dns:///", options.endpoint),
                                      credentials, Arguments()))) {}

  absl::StatusOr<int64_t> Export(const OtlpRequest& request) override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoNanoseconds(options_.timeout));
    for (const auto& [name, value] : options_.headers) {
      context.AddMetadata(absl::AsciiStrToLower(name), value);
    }
    if (!Enter(context)) return absl::CancelledError("the server stops");
    OtlpResponse response;
    const grpc::Status status = stub_->Export(&context, request, &response);
    Leave();
    if (status.ok()) return response.partial_success().rejected_spans();
    if (!CanRetry(status.error_code())) {
      return absl::InternalError(status.error_message());
    }
    return absl::UnavailableError(status.error_message());
  }

  void Cancel() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_cancelled_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
  }

 private:
  static grpc::ChannelArguments Arguments() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // By default a collector that returns is not noticed for up to 2 minutes.
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxBackoffMs);
    // A PING finds out that the collector has vanished without a word.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingIntervalMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
    return arguments;
  }

  bool Enter(grpc::ClientContext& context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_cancelled_) under_way_ = &context;
    return !is_cancelled_;
  }
  void Leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    under_way_ = nullptr;
  }

  const OtlpOptions options_;
  const std::unique_ptr<TraceService::Stub> stub_;
  std::mutex mutex_;  // guards the members below
  grpc::ClientContext* under_way_ = nullptr;
  bool is_cancelled_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SpanExporter>> NewGrpcExporter(
    const OtlpOptions& options) {
  const auto credentials = CredentialsOf(options);
  if (!credentials.ok()) return credentials.status();
  return std::make_unique<GrpcExporter>(options, *credentials);
}

}  // namespace rls
