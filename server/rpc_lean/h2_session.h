#ifndef RLS_RPC_LEAN_H2_SESSION_H_
#define RLS_RPC_LEAN_H2_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "rpc_lean/call.h"
#include "rpc_lean/call_pool.h"
#include "rpc_lean/frame_walk.h"
#include "rpc_lean/h2_memory.h"
#include "rpc_lean/stream_ids.h"

namespace rls {

// Who answers calls.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // A message has come, or the end of the request; of a method that takes one
  // message, both.
  virtual void Serve(Call& call) = 0;

  // Its stream is over. Unless it is held it goes away after this.
  virtual void Closed(Call& call) = 0;
};

struct H2SessionParts {
  const Clock& clock;
  CallPool& calls;
  H2Memory& memory;
  CallHandler& handler;
  size_t max_request_bytes = 0;
};

// The server's end of one HTTP/2 connection, without a socket, and the gRPC
// calls on it.
//
// Threads: the loop's only.
// Lifetime: calls that are held may outlive it.
// Source: RFC 9113;
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
class H2Session {
 public:
  // As a gateway may have every request of its clients held.
  static constexpr uint32_t kMaxStreams = 32'768;
  // Of one connection, before a client has to wait for our reading.
  static constexpr int32_t kWindowBytes = 1 << 20;
  // Streams that a client resets: so many at once, and so many a second. A
  // gateway resets one for each of its clients that goes away.
  static constexpr uint64_t kResetBurst = 20'000;
  static constexpr uint64_t kResetRate = 5'000;

  // Answers to PING and SETTINGS that wait to be sent, and entries of one
  // SETTINGS frame.
  static constexpr size_t kMaxAcks = 1'000;
  static constexpr size_t kMaxSettings = 32;

  // `pending` is called when there is something to send outside Receive().
  H2Session(const H2SessionParts& parts, absl::AnyInvocable<void()> pending);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // Takes what the client sent, and serves the calls that have become ready by
  // it: after all of it was read, so that a call that is cancelled by the same
  // bytes is never decided. False: this is not HTTP/2; Pull() may still have
  // something to say of that.
  bool Receive(absl::string_view bytes);

  // The next bytes to send, valid until the next call; empty: no more now.
  absl::string_view Pull();

  // Nothing is to be read or sent any more.
  bool over() const;

  size_t open_calls() const { return open_calls_; }
  // Calls that wait for their client: for more of the request, or to take the
  // answer.
  size_t waiting_calls() const { return incomplete_calls_ + answered_calls_; }
  // To be called every `patience`: ends requests that have been coming for so
  // long, and drops answers that have been there at the last call already.
  // False when there is no way but to end the connection: a request is still in
  // its headers, or the client has not begun at all.
  bool DropOverdue(absl::Duration patience);

  // A frame that the client must answer.
  void Ping();

  // Asks the client to open no more streams, and waits for those that are on
  // their way: after one round trip, or GoAway(), new ones are ignored.
  void AnnounceGoAway();
  void GoAway();

 private:
  friend class Call;
  struct Callbacks;  // what nghttp2 calls
  struct Messages;   // what it reads from
  class Trailers;

  static nghttp2_session* NewSession(H2Session& session);

  void Proceed(Call& call);
  void Respond(Call& call);
  // What it still has to send is not sent.
  void Reset(int32_t stream_id, uint32_t error);
  void RefuseAsHttp(Call& call, absl::string_view http_status);

  void CheckFrame(uint8_t type, int32_t stream_id);
  int BeginRequest(int32_t stream_id);
  void AddHeader(absl::string_view name, absl::string_view value);
  void EndHeaders(Call& call);
  void AddData(Call& call, absl::string_view bytes);
  void EndRequest(Call& call);
  void MarkReady(Call& call);
  void Close(Call& call);
  void ServeReady();
  Call* Find(int32_t stream_id);

  const H2SessionParts parts_;
  absl::AnyInvocable<void()> pending_;
  nghttp2_session* session_ = nullptr;
  absl::Time now_;  // of this Receive()
  bool receiving_ = false;
  bool greeted_ = false;  // the client's SETTINGS have come
  bool going_away_ = false;
  Call* open_ = nullptr;  // the first of all
  size_t open_calls_ = 0;
  size_t incomplete_calls_ = 0;  // whose request has not come to its end
  size_t answered_calls_ = 0;    // whose answer has not been sent
  Call* reading_ = nullptr;      // whose header block is being read
  Call* recent_ = nullptr;       // that was found last
  std::vector<Call*> ready_;     // null: closed meanwhile
  FrameWalk walk_;
  StreamIds ids_;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_SESSION_H_
