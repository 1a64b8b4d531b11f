#include "xds/xds_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"

namespace rls {
namespace {

constexpr size_t kMaxPemBytes = size_t{1} << 20;

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// A PING finds out that the peer has vanished without a word. Servers in Go end
// a connection that is pinged more often than every 5 minutes.
constexpr absl::Duration kPingInterval = absl::Seconds(310);
constexpr absl::Duration kPingTimeout = absl::Seconds(20);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

grpc::ChannelArguments ArgumentsOf(const XdsOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(
      static_cast<int>(options.max_response_bytes));
  const std::pair<const char*, int> values[] = {
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kPingInterval)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kPingTimeout)},
      // The stream is silent for hours. By default gRPC would send two PINGs
      // only.
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(kConnectTimeout)},
      // A channel would otherwise share the connection, and the backoff, of an
      // earlier channel.
      {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
      {GRPC_ARG_ENABLE_RETRIES, 0},
  };
  for (const auto& [name, value] : values) arguments.SetInt(name, value);
  if (options.tls.has_value() && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  return arguments;
}

// Without a scheme, gRPC would take the host of host:port for one.
std::string TargetOf(const std::string& server) {
  if (absl::StartsWith(server, "unix:")) return server;
  return absl::StrCat("dns:///", server);
}

absl::Status Read(const std::string& path, std::string& into) {
  if (path.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> bytes = ReadFile(path, kMaxPemBytes);
  if (!bytes.ok()) return bytes.status();
  into = *std::move(bytes);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<XdsChannels::Files> XdsChannels::ReadFiles(
    const TlsOptions& tls) {
  Files files;
  absl::Status read = Read(tls.ca_file, files.ca);
  if (read.ok()) read = Read(tls.certificate_file, files.certificate);
  if (read.ok()) read = Read(tls.key_file, files.key);
  if (!read.ok()) return read;
  return files;
}

// gRPC does not say that a key and a certificate do not match, so NewTlsContext
// checks them. It reads the files itself, so they are read before and after.
absl::StatusOr<XdsChannels::Files> XdsChannels::ReadUsableFiles(
    const TlsOptions& tls) {
  absl::StatusOr<Files> before = ReadFiles(tls);
  if (!before.ok()) return before.status();
  if (const auto context = NewTlsContext(tls); !context.ok()) {
    return context.status();
  }
  const absl::StatusOr<Files> after = ReadFiles(tls);
  if (!after.ok()) return after.status();
  if (!(*before == *after)) {
    return absl::UnavailableError("the files of TLS are being changed");
  }
  return before;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> XdsChannels::New() {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (options_.tls.has_value()) {
    absl::StatusOr<Files> files = ReadUsableFiles(*options_.tls);
    if (files.ok()) {
      files_ = *std::move(files);
    } else if (!files_.has_value()) {
      return files.status();
    } else {
      throttle_.Warn(
          absl::StrCat("xds: TLS: keeping the files as read before: ",
                       files.status().message()));
    }
    credentials = grpc::SslCredentials({.pem_root_certs = files_->ca,
                                        .pem_private_key = files_->key,
                                        .pem_cert_chain = files_->certificate});
  } else {
    credentials = grpc::InsecureChannelCredentials();
  }
  return grpc::CreateCustomChannel(TargetOf(options_.server), credentials,
                                   ArgumentsOf(options_));
}

}  // namespace rls
