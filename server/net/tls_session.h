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

// One end of a TLS connection, without a socket. It turns written bytes into
// records for the peer, and the peer's records into bytes. After each method
// the owner must send output(), also after a failure: then it contains the
// alert for the peer.
//
// Threads: one thread at a time.
// Failure: UNAVAILABLE with the reason. The connection is then unusable.
class TlsSession {
 public:
  virtual ~TlsSession() = default;

  // Takes bytes from the peer. A client begins the handshake by a call with "".
  virtual absl::Status Receive(absl::string_view records) = 0;

  // Whether the handshake is done and the peer is verified.
  virtual bool established() const = 0;

  // Only once established. Read() returns the number of bytes that it wrote to
  // `into`; 0: more records from the peer are needed.
  virtual absl::StatusOr<size_t> Read(absl::Span<char> into) = 0;
  virtual absl::Status Write(absl::string_view bytes) = 0;

  // Adds the closing alert (close_notify) to the output.
  virtual void Close() = 0;

  virtual absl::string_view output() const = 0;
  virtual void ClearOutput() = 0;
};

// The client's end. `host` is the host of the connection. Its name is verified,
// unless the options have another name.
// Failure: UNAVAILABLE.
absl::StatusOr<std::unique_ptr<TlsSession>> NewTlsSession(
    const TlsContext& context, const std::string& host);

// The server's end. `context` is from NewServerTlsContext().
// Failure: UNAVAILABLE.
absl::StatusOr<std::unique_ptr<TlsSession>> NewServerTlsSession(
    const TlsContext& context);

}  // namespace rls

#endif  // RLS_NET_TLS_SESSION_H_
