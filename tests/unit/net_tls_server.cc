#include "unit/net_tls_server.h"

#include <netinet/tcp.h>
#include <openssl/err.h>

#include <array>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

std::string NameOf(const X509* certificate) {
  if (certificate == nullptr) return "nobody";
  std::array<char, 100> name = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                            name.data(), static_cast<int>(name.size()));
  return name.data();
}

}  // namespace

TlsServer::TlsServer(const TlsServerOptions& options)
    : context_(SSL_CTX_new(TLS_server_method())) {
  // OpenSSL writes to sockets without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* const context = context_.get();
  SSL_CTX_use_certificate(context, options.identity->certificate.get());
  SSL_CTX_use_PrivateKey(context, options.identity->key.get());
  SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context, options.newest_version);
  // The old versions sign with SHA-1.
  if (options.newest_version < TLS1_2_VERSION) {
    SSL_CTX_set_security_level(context, 0);
  }
  if (options.client_authority != nullptr) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context),
                        options.client_authority->certificate.get());
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  listener_.Listen();
  thread_ = std::thread([this] { Serve(); });
}

TlsServer::~TlsServer() {
  closing_ = true;
  listener_.Shutdown();
  {
    MutexLock lock(&mutex_);
    if (current_ >= 0) shutdown(current_, SHUT_RDWR);
  }
  thread_.join();
}

std::vector<std::string> TlsServer::Endings() {
  MutexLock lock(&mutex_);
  return endings_;
}

void TlsServer::Serve() {
  while (!closing_) {
    const Peer peer = listener_.Accept();
    if (peer.fd() < 0) return;
    {
      MutexLock lock(&mutex_);
      current_ = peer.fd();
      if (closing_) return;
    }
    std::string ending = Echo(peer.fd());
    MutexLock lock(&mutex_);
    current_ = -1;
    endings_.push_back(std::move(ending));
  }
}

std::string TlsServer::Echo(int socket) {
  ERR_clear_error();
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const OpenSslPtr<SSL> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), socket);
  if (SSL_accept(ssl.get()) != 1) return "refused";
  const char* const asked =
      SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
  const std::string names =
      absl::StrCat(asked == nullptr ? "anyone" : asked, " ",
                   NameOf(SSL_get0_peer_certificate(ssl.get())));
  std::array<char, 1 << 14> buffer;
  for (;;) {
    const int count = SSL_read(ssl.get(), buffer.data(), buffer.size());
    if (count <= 0) {
      const bool polite =
          SSL_get_error(ssl.get(), count) == SSL_ERROR_ZERO_RETURN;
      return absl::StrCat(names, polite ? ": good-bye" : ": cut off");
    }
    SSL_write(ssl.get(), buffer.data(), count);
  }
}

}  // namespace rls
