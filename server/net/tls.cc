#include "net/tls.h"

#include <openssl/err.h>
#include <sys/stat.h>

#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "net/tls_context.h"

namespace rls {
namespace {

absl::Status BadFile(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", TakeSslError()));
}

// Records that a password is needed, instead of a prompt on the terminal.
int NoPassword(char*, int, int, void* needed) {
  *static_cast<bool*>(needed) = true;
  return -1;
}

using Role = OpenSslContext::Role;

// Without a CA file, a client trusts the system's authorities, and a server
// does not request a certificate from its clients.
absl::Status ReadAuthorities(Role role, const TlsOptions& options,
                             SSL_CTX& context) {
  if (role != Role::kClient && options.ca_file.empty()) {
    SSL_CTX_set_verify(&context, SSL_VERIFY_NONE, nullptr);
    return absl::OkStatus();
  }
  SSL_CTX_set_verify(
      &context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  const bool read =
      options.ca_file.empty()
          ? SSL_CTX_set_default_verify_paths(&context) == 1
          : SSL_CTX_load_verify_file(&context, options.ca_file.c_str()) == 1;
  if (read) return absl::OkStatus();
  return BadFile(options.ca_file.empty() ? "the system's CA certificates"
                                         : options.ca_file);
}

absl::Status ReadIdentity(const TlsOptions& options, SSL_CTX& context) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.certificate_file, options.key_file,
        ": a certificate and its key need each other, one is missing"));
  }
  if (options.key_file.empty()) return absl::OkStatus();
  bool needs_password = false;
  SSL_CTX_set_default_passwd_cb(&context, NoPassword);
  SSL_CTX_set_default_passwd_cb_userdata(&context, &needs_password);
  const char* const certificate = options.certificate_file.c_str();
  if (SSL_CTX_use_certificate_chain_file(&context, certificate) != 1) {
    return BadFile(options.certificate_file);
  }
  // Also fails for the key of another certificate.
  if (SSL_CTX_use_PrivateKey_file(&context, options.key_file.c_str(),
                                  SSL_FILETYPE_PEM) == 1) {
    return absl::OkStatus();
  }
  if (!needs_password) return BadFile(options.key_file);
  return absl::InvalidArgumentError(
      absl::StrCat(options.key_file, ": a key with a password"));
}

// Chooses a protocol if the client offers it; otherwise sends an alert
// (RFC 7301).
template <unsigned char... kName>
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* size,
                   const unsigned char* offered, unsigned int offered_size,
                   void*) {
  static constexpr unsigned char kKnown[] = {sizeof...(kName), kName...};
  auto** const out = const_cast<unsigned char**>(chosen);
  const int found = SSL_select_next_proto(out, size, kKnown, sizeof(kKnown),
                                          offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
                                         : SSL_TLSEXT_ERR_ALERT_FATAL;
}

absl::StatusOr<SslContextPtr> ReadContext(Role role,
                                          const TlsOptions& options) {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(
      role == Role::kClient ? TLS_client_method() : TLS_server_method()));
  if (!context ||
      SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("TLS: ", TakeSslError()));
  }
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (role != Role::kClient) {
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_alpn_select_cb(
        context.get(),
        role == Role::kHttp2Server
            ? ChooseProtocol<'h', '2'>
            : ChooseProtocol<'h', 't', 't', 'p', '/', '1', '.', '1'>,
        nullptr);
  }
  absl::Status read = ReadAuthorities(role, options, *context);
  if (read.ok()) read = ReadIdentity(options, *context);
  if (!read.ok()) return read;
  return context;
}

FileStamp StampOf(const std::string& path) {
  struct stat found = {};
  if (path.empty() || stat(path.c_str(), &found) != 0) return {};
  constexpr int64_t kNanosecondsInSecond = 1'000'000'000;
  return {found.st_ino, found.st_size,
          found.st_mtim.tv_sec * kNanosecondsInSecond + found.st_mtim.tv_nsec};
}

// Taken before the files are read, so that a change during the reading shows as
// a difference next time.
OpenSslContext::Stamps StampsOf(const TlsOptions& options) {
  return {StampOf(options.ca_file), StampOf(options.certificate_file),
          StampOf(options.key_file)};
}

}  // namespace

std::string TakeSslError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(error)) {
    return std::generic_category().message(ERR_GET_REASON(error));
  }
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? absl::StrCat("OpenSSL error ", error) : reason;
}

OpenSslContext::OpenSslContext(Role role, const TlsOptions& options,
                               const Stamps& stamps, SslContextPtr context)
    : role_(role),
      options_(options),
      stamps_(stamps),
      context_(std::move(context)) {}

SslPtr OpenSslContext::NewSsl() const {
  MutexLock lock(&mutex_);
  const Stamps stamps = StampsOf(options_);
  if (stamps != stamps_) {
    stamps_ = stamps;
    absl::StatusOr<SslContextPtr> read = ReadContext(role_, options_);
    if (read.ok()) {
      context_ = *std::move(read);
      LogInfo("TLS: the files have changed and were read again");
    } else {
      LogWarning(absl::StrCat("TLS: keeping the files as read before: ",
                              read.status().message()));
    }
  }
  return SslPtr(SSL_new(context_.get()));
}

namespace {

absl::StatusOr<std::unique_ptr<TlsContext>> NewContext(
    Role role, const TlsOptions& options) {
  const OpenSslContext::Stamps stamps = StampsOf(options);
  absl::StatusOr<SslContextPtr> context = ReadContext(role, options);
  if (!context.ok()) return context.status();
  return std::make_unique<OpenSslContext>(role, options, stamps,
                                          *std::move(context));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> NewTlsContext(
    const TlsOptions& options) {
  return NewContext(Role::kClient, options);
}

absl::StatusOr<std::unique_ptr<TlsContext>> NewServerTlsContext(
    const ServerTlsOptions& options) {
  if (options.certificate_file.empty() && options.key_file.empty()) {
    return absl::InvalidArgumentError("TLS: a server needs a certificate");
  }
  if (options.client_ca_file.empty() && !options.client_name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS: a client's name, ", options.client_name,
                     ", needs the authority of its certificate"));
  }
  return NewContext(options.protocol == TlsProtocol::kHttp2
                        ? Role::kHttp2Server
                        : Role::kHttp1Server,
                    {.ca_file = options.client_ca_file,
                     .certificate_file = options.certificate_file,
                     .key_file = options.key_file,
                     .verify_hostname = !options.client_name.empty(),
                     .server_name = options.client_name});
}

}  // namespace rls
