#include "rpc/grpc_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace rls {
namespace {

using grpc::experimental::TlsCustomVerificationCheckRequest;

constexpr unsigned int kFileCheckSeconds = 1;

// Whether the client's certificate, whose authority gRPC has checked, is for
// this name.
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

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(
    const RpcServerOptions& options) {
  if (!options.tls.has_value()) return grpc::InsecureServerCredentials();
  const ServerTlsOptions& tls = *options.tls;
  // gRPC would start all the same, and refuse every client.
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

}  // namespace rls
