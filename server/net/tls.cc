#include "net/tls.h"

#include "net/tls_session.h"

namespace rls {

absl::StatusOr<std::unique_ptr<TlsContext>> NewTlsContext(const TlsOptions&) {
  return absl::UnimplementedError("TLS");
}

absl::StatusOr<std::unique_ptr<TlsSession>> NewTlsSession(const TlsContext&,
                                                          const std::string&) {
  return absl::UnimplementedError("TLS");
}

}  // namespace rls
