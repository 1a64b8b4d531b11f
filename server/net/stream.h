#ifndef RLS_NET_STREAM_H_
#define RLS_NET_STREAM_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "net/endpoint.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace rls {

// What a stream tells its owner, always on the loop's thread and never from
// within a call of the stream. The owner may destroy the stream in any of them.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  virtual void OnConnected() = 0;  // TLS included, its peer verified

  // Bytes that have come; valid only while this runs.
  virtual void OnBytes(absl::string_view bytes) = 0;

  // The end, once, whoever ended it; nothing follows. UNAVAILABLE with the
  // reason: no such host, refused, reset, closed by the peer, or, for TLS, why
  // the peer is not trusted.
  virtual void OnClosed(const absl::Status& why) = 0;
};

// A connected stream of bytes, without blocking: TCP (no delay), a Unix socket,
// or TLS over TCP.
//
// Threads: the loop's only.
// Lifetime: destroying it closes it; then its handler hears no more.
class Stream {
 public:
  virtual ~Stream() = default;

  // Sends as much as the system takes at once and keeps the rest, in order.
  // Before OnConnected() it keeps all. Call it once a turn with all there is:
  // each call may be a system call.
  virtual void Write(absl::string_view bytes) = 0;

  // Bytes kept because the peer does not read.
  virtual size_t unsent_bytes() const = 0;
};

struct StreamParts {
  EventLoop& loop;
  Resolver& resolver;
  const TlsContext* tls = nullptr;  // null: no TLS
};

// Begins to connect; the handler hears how it ended. A host with several
// addresses is tried address by address. There is no timeout: the owner has a
// Timer for that. The parts and `handler` must outlive the stream.
std::unique_ptr<Stream> Connect(const StreamParts& parts,
                                const Endpoint& endpoint,
                                StreamHandler& handler);

}  // namespace rls

#endif  // RLS_NET_STREAM_H_
