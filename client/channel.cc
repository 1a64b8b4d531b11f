#include "channel.h"

#include "absl/status/status.h"
#include "base/files.h"

namespace rls {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

// The file, or nothing when none is named.
absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> text = ReadFile(path, kMaxPemBytes);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(text.status().message());
}

}  // namespace

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
  // gRPC would only fail to connect, and say nothing of a file.
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

}  // namespace rls
