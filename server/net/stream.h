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

// The callbacks of a stream. They run on the loop's thread, never within a
// method of the stream, and may destroy the stream.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  virtual void OnConnected() = 0;  // with TLS: the peer is verified

  // Received bytes, valid only during the call.
  virtual void OnBytes(absl::string_view bytes) = 0;

  // The end of the stream, for any cause. The last callback. UNAVAILABLE with
  // the reason: no such host, refused, reset, closed by the peer, or, for TLS,
  // why the peer is not trusted.
  virtual void OnClosed(const absl::Status& why) = 0;
};

// A non-blocking, connected stream of bytes: TCP (with TCP_NODELAY), a Unix
// socket, or TLS over TCP.
//
// Threads: the loop's thread only.
// Lifetime: the destructor closes the stream without a callback.
class Stream {
 public:
  virtual ~Stream() = default;

  // Sends as much as the system takes at once, and keeps the rest in order.
  // Before OnConnected() it keeps everything. Each call may be a system call,
  // so call it once per turn with all bytes of the turn.
  virtual void Write(absl::string_view bytes) = 0;

  // The number of bytes kept, for example because the peer does not read.
  virtual size_t unsent_bytes() const = 0;
};

struct StreamDependencies {
  EventLoop& loop;
  Resolver& resolver;
  const TlsContext* tls = nullptr;  // null: no TLS
};

// Starts to connect; OnConnected() or OnClosed() reports the result. If the
// host has several addresses, they are tried one after another. There is no
// timeout: the owner uses a Timer.
//
// Lifetime: the members of `parts`, and `handler`, must outlive the stream.
std::unique_ptr<Stream> Connect(const StreamDependencies& parts,
                                const Endpoint& endpoint,
                                StreamHandler& handler);

}  // namespace rls

#endif  // RLS_NET_STREAM_H_
