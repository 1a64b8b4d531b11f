#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "commands.h"
#include "descriptor_arg.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using envoy::service::ratelimit::v3::RateLimitService;

constexpr size_t kMaxPemBytes = 1 << 20;

// Returns the content of the file, or "" for an empty path.
absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> text = ReadFile(path, kMaxPemBytes);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(text.status().message());
}

// A channel to the server at `address`; it connects at the first RPC.
//
// Failure: INVALID_ARGUMENT, naming the TLS file that is unusable and why.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const std::string& address, const TlsArguments& tls) {
  if (!tls.wanted()) {
    return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  }
  const auto authorities = ReadPem(tls.files.ca_file);
  if (!authorities.ok()) return authorities.status();
  const auto certificate = ReadPem(tls.files.certificate_file);
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadPem(tls.files.key_file);
  if (!key.ok()) return key.status();
  // Check the files first. gRPC would only fail to connect, without naming a
  // file.
  const auto usable = NewTlsContext(tls.files);
  if (!usable.ok()) return usable.status();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *authorities;
  options.pem_cert_chain = *certificate;
  options.pem_private_key = *key;
  grpc::ChannelArguments arguments;
  if (!tls.files.server_name.empty()) {
    arguments.SetSslTargetNameOverride(tls.files.server_name);
  }
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(options),
                                   arguments);
}

absl::StatusOr<RateLimitRequest> MakeRequest(const CheckArguments& arguments) {
  RateLimitRequest request;
  request.set_domain(arguments.domain);
  for (const std::string& argument : arguments.descriptors) {
    const absl::StatusOr<KeyValues> entries = ParseDescriptor(argument);
    if (!entries.ok()) return entries.status();
    auto& descriptor = *request.add_descriptors();
    for (const auto& [key, value] : *entries) {
      auto& entry = *descriptor.add_entries();
      entry.set_key(key);
      entry.set_value(value);
    }
    // Gateways omit the default.
    if (arguments.hits != 1 || arguments.gives_back) {
      descriptor.mutable_hits_addend()->set_value(arguments.hits);
      descriptor.set_is_negative_hits(arguments.gives_back);
    }
  }
  return request;
}

grpc::Status ShouldRateLimit(const CheckArguments& arguments,
                             const std::shared_ptr<grpc::Channel>& channel,
                             const RateLimitRequest& request,
                             RateLimitResponse& response) {
  const auto stub = RateLimitService::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + arguments.timeout));
  return stub->ShouldRateLimit(&context, request, &response);
}

std::string CodeName(const grpc::Status& status) {
  return absl::StatusCodeToString(
      static_cast<absl::StatusCode>(status.error_code()));
}

std::string StatusLine(const RateLimitResponse::DescriptorStatus& status) {
  std::string line = RateLimitResponse::Code_Name(status.code());
  if (!status.has_current_limit()) return absl::StrCat(line, ", no limit");
  const auto& limit = status.current_limit();
  absl::StrAppend(&line, ", limit ", limit.requests_per_unit(), " per ");
  if (limit.has_unit_multiplier()) {
    absl::StrAppend(&line, limit.unit_multiplier().value(), " ");
  }
  absl::StrAppend(&line, RateLimitResponse::RateLimit::Unit_Name(limit.unit()),
                  ", remaining ", status.limit_remaining(), ", reset in ",
                  status.duration_until_reset().seconds(), " s");
  return line;
}

void Print(const CheckArguments& arguments, const RateLimitResponse& response) {
  std::printf("%s\n",
              RateLimitResponse::Code_Name(response.overall_code()).c_str());
  // Another server implementation may send more statuses, or fewer.
  const int statuses = std::min(response.statuses_size(),
                                static_cast<int>(arguments.descriptors.size()));
  for (int i = 0; i < statuses; ++i) {
    std::printf(
        "  %s: %s\n",
        EscapeControls(arguments.descriptors[static_cast<size_t>(i)]).c_str(),
        StatusLine(response.statuses(i)).c_str());
  }
  for (const auto& header : response.response_headers_to_add()) {
    std::printf("  header %s: %s\n", EscapeControls(header.key()).c_str(),
                EscapeControls(header.value()).c_str());
  }
  if (!response.raw_body().empty()) {
    std::printf("  body %s\n", EscapeControls(response.raw_body()).c_str());
  }
}

int RefuseUsage(const absl::Status& status) {
  std::fprintf(stderr, "ratelimitctl: %s\n",
               std::string(status.message()).c_str());
  return kExitUsage;
}

}  // namespace

int Check(const CheckArguments& arguments) {
  const absl::StatusOr<RateLimitRequest> request = MakeRequest(arguments);
  if (!request.ok()) return RefuseUsage(request.status());
  const auto channel = OpenChannel(arguments.address, arguments.tls);
  if (!channel.ok()) return RefuseUsage(channel.status());
  RateLimitResponse response;
  const grpc::Status status =
      ShouldRateLimit(arguments, *channel, *request, response);
  if (!status.ok()) {
    std::fprintf(stderr, "ratelimitctl: no answer from %s: %s: %s\n",
                 arguments.address.c_str(), CodeName(status).c_str(),
                 status.error_message().c_str());
    return kExitNoAnswer;
  }
  if (arguments.json) {
    std::string json;
    if (!google::protobuf::util::MessageToJsonString(response, &json).ok()) {
      std::fprintf(stderr, "ratelimitctl: the answer is not valid UTF-8\n");
      return kExitNoAnswer;
    }
    std::printf("%s\n", json.c_str());
  } else {
    Print(arguments, response);
  }
  return response.overall_code() == RateLimitResponse::OVER_LIMIT
             ? kExitOverLimit
             : kExitOk;
}

}  // namespace rls
