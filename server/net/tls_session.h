#ifndef RLS_NET_TLS_SESSION_H_
#define RLS_NET_TLS_SESSION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "net/tls.h"

namespace rls {

// One end of a TLS connection, without a socket: it turns what is
// written into records for the peer, and the peer's records into bytes. After
// each call the owner sends what output() holds, also when the call failed:
// then it is an alert that tells the peer why.
//
// Threads: one.
// Failure: UNAVAILABLE with the reason; the connection is of no more use.
class TlsSession {
 public:
  virtual ~TlsSession() = default;

  // Takes bytes that the peer sent; with none it begins the handshake.
  virtual absl::Status Receive(absl::string_view records) = 0;

  // The handshake is done and the peer is who it should be.
  virtual bool established() const = 0;

  // Once established. How many bytes have come, of those not yet read; 0: no
  // more than were received so far.
  virtual absl::StatusOr<size_t> Read(absl::Span<char> into) = 0;
  virtual absl::Status Write(absl::string_view bytes) = 0;

  // Says good-bye to the peer.
  virtual void Close() = 0;

  virtual absl::string_view output() const = 0;
  virtual void ClearOutput() = 0;
};

// `host` is what was connected to: the name to verify, unless the options name
// another. UNAVAILABLE.
absl::StatusOr<std::unique_ptr<TlsSession>> NewTlsSession(
    const TlsContext& context, const std::string& host);

// The server's end, of a server's context.
absl::StatusOr<std::unique_ptr<TlsSession>> NewServerTlsSession(
    const TlsContext& context);

}  // namespace rls

#endif  // RLS_NET_TLS_SESSION_H_
