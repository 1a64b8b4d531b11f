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

// A call: it keeps its memory for the next one.
struct ClientCall {
  std::chrono::steady_clock::time_point due;
  std::string request;  // a gRPC message with its prefix
  size_t sent = 0;      // of `request`
  std::string reply;
  int grpc_status = -1;  // -1: none has come
};

// A gRPC client's connection to a server on this machine.
class ClientConnection {
 public:
  using OnEnd = absl::AnyInvocable<void(ClientCall&)>;

  // Ends the process when it cannot connect. Its events come to `epoll`, with
  // itself. `headers` and what they view must outlive it; `on_end` is called
  // when a call's stream is over, and may Send() the next.
  ClientConnection(int port, int epoll, absl::Span<const nghttp2_nv> headers,
                   OnEnd on_end);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Makes a call of `call`, which has to stay until its end. It leaves with the
  // next Flush() or Proceed().
  void Send(ClientCall& call);
  int in_flight() const { return in_flight_; }

  // Both end the process when the connection is over.
  void Flush();
  // Reads what has come, ends calls, and flushes.
  void Proceed(absl::Span<uint8_t> room);

 private:
  struct Callbacks;  // what nghttp2 calls

  const absl::Span<const nghttp2_nv> headers_;
  OnEnd on_end_;
  H2Link link_;
  int in_flight_ = 0;
  bool flushed_ = false;  // nothing was sent since
};

// Prints what went wrong, and why, and ends the process.
[[noreturn]] void EndLoad(const char* what, const char* why);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_CLIENT_CONNECTION_H_
