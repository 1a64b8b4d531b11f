#include "net/tls_session.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "net/tls_context.h"

namespace rls {
namespace {

// OpenSSL between two memory buffers: we fill one with the peer's records,
// OpenSSL fills the other with our records.
class OpenSslSession final : public TlsSession {
 public:
  // The SSL owns the buffers.
  OpenSslSession(SslPtr ssl, BIO* from_peer, BIO* to_peer)
      : ssl_(std::move(ssl)), from_peer_(*from_peer), to_peer_(*to_peer) {}

  absl::Status Receive(absl::string_view records) override {
    ERR_clear_error();
    size_t written = 0;
    if (!records.empty() && BIO_write_ex(&from_peer_, records.data(),
                                         records.size(), &written) != 1) {
      return absl::UnavailableError("TLS: no memory");
    }
    if (established_) return absl::OkStatus();
    const int result = SSL_do_handshake(ssl_.get());
    established_ = result == 1;
    return established_ ? absl::OkStatus() : StatusOf(result);
  }

  bool established() const override { return established_; }

  absl::StatusOr<size_t> Read(absl::Span<char> into) override {
    ERR_clear_error();
    size_t count = 0;
    const int result =
        SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
    if (result == 1) return count;
    if (absl::Status status = StatusOf(result); !status.ok()) return status;
    return 0;
  }

  absl::Status Write(absl::string_view bytes) override {
    ERR_clear_error();
    size_t count = 0;  // always all bytes: the buffer grows
    const int result =
        SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
    return result == 1 ? absl::OkStatus() : Broken(result);
  }

  void Close() override {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }

  absl::string_view output() const override {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(&to_peer_, &bytes);
    return {bytes, static_cast<size_t>(size)};
  }

  void ClearOutput() override { BIO_reset(&to_peer_); }

 private:
  // OK if OpenSSL only needs more bytes from the peer.
  absl::Status StatusOf(int result) const {
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) {
      return absl::OkStatus();
    }
    return Broken(result);
  }

  absl::Status Broken(int result) const {
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) {
      return absl::UnavailableError("closed by the peer");
    }
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) {
      return absl::UnavailableError(
          absl::StrCat("the peer's certificate is not trusted: ",
                       X509_verify_cert_error_string(verified)));
    }
    return absl::UnavailableError(absl::StrCat("TLS: ", TakeSslError()));
  }

  const SslPtr ssl_;
  BIO& from_peer_;
  BIO& to_peer_;
  bool established_ = false;
};

bool IsLiteralAddress(const std::string& host) {
  in6_addr unused;
  return inet_pton(AF_INET, host.c_str(), &unused) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &unused) == 1;
}

// Sets the server name to send (SNI) and the name to verify.
bool SetName(SSL& ssl, const std::string& name, bool verify) {
  if (IsLiteralAddress(name)) {  // not allowed in SNI: RFC 6066
    return !verify || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl),
                                                    name.c_str()) == 1;
  }
  SSL_set_hostflags(&ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (verify && SSL_set1_host(&ssl, name.c_str()) != 1) return false;
  if (name.empty()) return true;
  // SSL_set_tlsext_host_name(), without the cast of the macro.
  return SSL_ctrl(&ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(name.c_str())) == 1;
}

// A new connection and its buffers, not yet configured as client or server.
struct NewEnd {
  SslPtr ssl;  // null: out of memory
  BIO* from_peer = nullptr;
  BIO* to_peer = nullptr;
};

NewEnd MakeEnd(const OpenSslContext& context) {
  NewEnd end{context.NewSsl(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
  if (!end.ssl || end.from_peer == nullptr || end.to_peer == nullptr) {
    BIO_free(end.from_peer);
    BIO_free(end.to_peer);
    return {};
  }
  SSL_set_bio(end.ssl.get(), end.from_peer, end.to_peer);
  return end;
}

std::unique_ptr<TlsSession> SessionOf(NewEnd end) {
  return std::make_unique<OpenSslSession>(std::move(end.ssl), end.from_peer,
                                          end.to_peer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsSession>> NewTlsSession(
    const TlsContext& context, const std::string& host) {
  const auto& own = static_cast<const OpenSslContext&>(context);
  const TlsOptions& options = own.options();
  const std::string name(absl::StripSuffix(
      options.server_name.empty() ? host : options.server_name, "."));
  // To OpenSSL an empty name means: accept any name.
  if (name.empty() && options.verify_hostname) {
    return absl::UnavailableError("TLS: no host name to verify");
  }
  NewEnd end = MakeEnd(own);
  if (!end.ssl) return absl::UnavailableError("TLS: no memory");
  SSL_set_connect_state(end.ssl.get());
  if (!SetName(*end.ssl, name, options.verify_hostname)) {
    return absl::UnavailableError(
        absl::StrCat("TLS: no name for a certificate: ", name));
  }
  return SessionOf(std::move(end));
}

absl::StatusOr<std::unique_ptr<TlsSession>> NewServerTlsSession(
    const TlsContext& context) {
  const auto& own = static_cast<const OpenSslContext&>(context);
  NewEnd end = MakeEnd(own);
  if (!end.ssl) return absl::UnavailableError("TLS: no memory");
  SSL_set_accept_state(end.ssl.get());
  const TlsOptions& options = own.options();
  if (options.verify_hostname &&
      SSL_set1_host(end.ssl.get(), options.server_name.c_str()) != 1) {
    return absl::UnavailableError(
        absl::StrCat("TLS: no name for a certificate: ", options.server_name));
  }
  return SessionOf(std::move(end));
}

}  // namespace rls
