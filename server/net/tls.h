#ifndef RLS_NET_TLS_H_
#define RLS_NET_TLS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rls {

// TLS options of a client. Files are PEM.
struct TlsOptions {
  std::string ca_file;           // "": the system's authorities
  std::string certificate_file;  // "": no client certificate
  std::string key_file;
  bool verify_hostname = true;
  std::string server_name;  // for SNI and verification; "": the host
};

// The protocol that a server chooses of those that its client offers (ALPN).
enum class TlsProtocol { kHttp2, kHttp1 };

// TLS options of a server. Files are PEM.
struct ServerTlsOptions {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  // "": clients need no certificate
  std::string client_name;     // required in the certificate; "": any
  TlsProtocol protocol = TlsProtocol::kHttp2;
};

// The certificates and keys of TLS 1.2 or later, for clients or for a server.
// Files that have changed are read again at the next connection. If the new
// files cannot be used, the context keeps the old contents and logs a warning.
// The contents are private to `net`.
//
// Threads: many threads may use a context at once.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
};

// Failure: INVALID_ARGUMENT with the file and the reason.
absl::StatusOr<std::unique_ptr<TlsContext>> NewTlsContext(
    const TlsOptions& options);

// A client that offers protocols (ALPN) must offer that of the options.
absl::StatusOr<std::unique_ptr<TlsContext>> NewServerTlsContext(
    const ServerTlsOptions& options);

}  // namespace rls

#endif  // RLS_NET_TLS_H_
