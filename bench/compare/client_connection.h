#ifndef RLS_BENCH_COMPARE_CLIENT_CONNECTION_H_
#define RLS_BENCH_COMPARE_CLIENT_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/types/span.h"
#include "compare/h2_link.h"

namespace rls {

// A call. The next call reuses its memory.
struct ClientCall {
  std::chrono::steady_clock::time_point due;
  std::string request;  // a gRPC message with its prefix
  size_t sent = 0;      // bytes of `request`
  std::string answer;
  int grpc_status = -1;  // -1: not received
};

// A gRPC client's connection to a server on this machine.
class ClientConnection {
 public:
  using OnEnd = absl::AnyInvocable<void(ClientCall&)>;

  // Ends the process if it cannot connect. Adds the socket to `epoll`, with
  // `this` as the data of its events. `headers` and their texts must outlive
  // the connection. `on_end` runs when the stream of a call is closed, and may
  // Send() the next call.
  ClientConnection(int port, int epoll, absl::Span<const nghttp2_nv> headers,
                   OnEnd on_end);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Begins `call`, which must live until it ends. The next Flush() or Proceed()
  // sends it.
  void Send(ClientCall& call);
  int in_flight() const { return in_flight_; }

  // Flush() and Proceed() end the process if the connection is closed.
  void Flush();
  // Reads all received bytes, ends calls, and flushes.
  void Proceed(absl::Span<uint8_t> room);

 private:
  struct Callbacks;  // the callbacks of nghttp2

  const absl::Span<const nghttp2_nv> headers_;
  OnEnd on_end_;
  H2Link link_;
  int in_flight_ = 0;
  bool flushed_ = false;  // no Send() since the last Flush()
};

// Prints the failed step and the reason, and ends the process with status 1.
[[noreturn]] void EndLoad(const char* step, const char* reason);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_CLIENT_CONNECTION_H_
