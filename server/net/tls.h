#ifndef RLS_NET_TLS_H_
#define RLS_NET_TLS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rls {

// How a client speaks TLS. Files are PEM.
struct TlsOptions {
  std::string ca_file;           // "": the system's
  std::string certificate_file;  // "": no client certificate
  std::string key_file;
  bool verify_hostname = true;
  std::string server_name;  // for SNI and verification; "": the host connected
};

// How a server speaks TLS. Files are PEM.
struct ServerTlsOptions {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  // "": clients need no certificate
  std::string client_name;     // that theirs must be for; "": any
};

// TLS 1.2 or later, for clients or for a server. The files are read again when
// they have changed, at the next connection; a change that cannot be read keeps
// what was read before and is logged. What it holds is private to `net`.
//
// Threads: the methods of `net` that take one may run on many threads at once.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
};

// Failure: INVALID_ARGUMENT that names the file and what is wrong with it.
absl::StatusOr<std::unique_ptr<TlsContext>> NewTlsContext(
    const TlsOptions& options);

// Its clients must speak HTTP/2, if they name protocols at all.
absl::StatusOr<std::unique_ptr<TlsContext>> NewServerTlsContext(
    const ServerTlsOptions& options);

}  // namespace rls

#endif  // RLS_NET_TLS_H_
