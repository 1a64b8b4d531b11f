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
#include "net/admission.h"
#include "rpc/lean/bound_report.h"
#include "rpc/lean/call.h"
#include "rpc/lean/closed_streams.h"
#include "rpc/lean/frame_budget.h"
#include "rpc/lean/h2_memory.h"

namespace rls {

// Answers the calls of a session.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // Invoked when the request is complete. For a method that takes any number of
  // messages: also when a message arrives.
  virtual void Serve(Call& call) = 0;

  // The stream of the call is closed. Afterwards the call is destroyed, unless
  // it is retained.
  virtual void Closed(Call& call) = 0;
};

struct H2SessionDependencies {
  const Clock& clock;
  CallPool& calls;
  H2Memory& memory;
  CallHandler& handler;
  BoundReport& report;
  size_t max_request_bytes = 0;
  bool reads_trace_headers = false;
  PeerAddress peer = {};
};

// The server's end of one HTTP/2 connection, without a socket, and the gRPC
// calls on it.
//
// Threads: the loop's thread only.
// Lifetime: retained calls may outlive the session.
// Source: RFC 9113;
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
class H2Session {
 public:
  // Concurrent streams. Twice the number that Envoy uses by default, because a
  // gateway may have many requests of its clients held. A gateway that needs
  // more opens another connection.
  static constexpr uint32_t kMaxStreams = 2'048;
  // Flow control window of a connection: bytes that a client may send before
  // the server reads them.
  static constexpr int32_t kWindowBytes = 1 << 20;
  // Bytes of requests that are not answered yet. A request that would exceed
  // this is refused. Larger if one request may be larger.
  static constexpr size_t kMaxBufferedBytes = 8 << 20;
  // Bytes of answers that the client does not read. A stream that would exceed
  // this is ended. The only answer of a call is sent even beyond this.
  static constexpr size_t kMaxUnsentBytes = 8 << 20;
  // Unsent acknowledgements of PING and SETTINGS, and entries of one SETTINGS
  // frame.
  static constexpr size_t kMaxAcks = 1'000;
  static constexpr size_t kMaxSettings = 32;

  // `pending` is invoked when there is output outside of Receive().
  H2Session(const H2SessionDependencies& dependencies,
            absl::AnyInvocable<void()> pending);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // Reads all bytes, and then serves the calls that have become ready. A call
  // that the same bytes cancel is therefore never decided. False: the bytes are
  // not HTTP/2. Pull() may still return an error message for the client.
  //
  // If the frames exceed the budget of the connection (frame_budget.h), the
  // session ends with GOAWAY and ENHANCE_YOUR_CALM, and calmed() becomes true.
  bool Receive(absl::string_view bytes);

  // Ends the session with ENHANCE_YOUR_CALM, because the client exceeds
  // `bound`. The owner must close the connection soon, because the open calls
  // stay until then.
  void Calm(Bound bound);
  bool calmed() const { return calmed_; }

  // The next bytes to send, valid until the next Pull(). Empty: there is no
  // more output now.
  absl::string_view Pull();

  // True: there is nothing more to read or to send.
  bool over() const;

  size_t open_calls() const { return open_calls_; }
  // Calls that wait for the client: to send the rest of the request, or to take
  // the answer.
  size_t waiting_calls() const { return incomplete_calls_ + answered_calls_; }
  // Bytes of requests and answers of all calls.
  size_t held_bytes() const { return buffered_bytes_ + unsent_bytes_; }
  // Must be invoked every `patience`. Ends requests that are still incomplete
  // after `patience`, and drops answers that were already untaken at the
  // previous invocation. False: the connection must be closed, because a
  // request is still in its headers or the client has not sent its SETTINGS.
  bool DropOverdue(absl::Duration patience);

  // Sends a frame that the client must answer.
  void Ping();

  // Asks the client to open no more streams. Streams that are already on their
  // way are still served. After one round trip, or after GoAway(), new streams
  // are ignored.
  void AnnounceGoAway();
  void GoAway();

 private:
  friend class Call;
  struct Callbacks;  // the callbacks of nghttp2, in h2_callbacks.cc

  // The payload of the PING that follows the announcement of GOAWAY. Its
  // acknowledgement shows that the client has seen the announcement.
  static constexpr uint8_t kGoAwayPing[8] = {'g', 'o', 'i', 'n', 'g', 0, 0, 0};

  static nghttp2_session* NewSession(H2Session& session);

  int BeginRequest(int32_t stream_id);
  // False: the header block is too large. The stream is reset.
  bool TakeHeaderBytes(int32_t stream_id, size_t bytes);
  void AddHeader(absl::string_view name, absl::string_view value);
  void EndHeaders(Call& call);
  void AddData(Call& call, absl::string_view bytes);
  // The most bytes that one call may have received.
  size_t MostOfCall() const;
  // The connection or the loop has more bytes of requests than its bound.
  bool HoldsTooMuch() const;
  // Spends the cost of a message that was decompressed. False: it exceeds a
  // bound, which was reported, and must be dropped.
  bool KeepsInflated(size_t compressed, size_t inflated);
  void EndRequest(Call& call);
  void MarkReady(Call& call);
  void ServeReady();

  void CheckFrame(const FrameHead& frame);
  // Spends the cost of a message, and reports a bound that it exceeds.
  bool MaySend(size_t bytes);
  void Refuse(Call& call, Bound bound, absl::string_view message);
  // Begins the response of a call, or continues it.
  void Proceed(Call& call);
  void Refuse(Call& call, absl::string_view http_status);
  // Discards the unsent output of the stream.
  void Reset(int32_t stream_id, uint32_t error);
  void Close(Call& call);
  Call* Find(int32_t stream_id);

  const H2SessionDependencies dependencies_;
  absl::AnyInvocable<void()> pending_;
  nghttp2_session* session_ = nullptr;
  absl::Time now_;  // the time of the last Receive() or DropOverdue()
  bool receiving_ = false;
  bool greeted_ = false;  // the client has sent its SETTINGS
  bool calmed_ = false;
  bool going_away_ = false;
  Call* open_ = nullptr;  // the first open call
  size_t open_calls_ = 0;
  size_t incomplete_calls_ = 0;  // the request is not complete
  size_t answered_calls_ = 0;    // the answer is not sent completely
  size_t buffered_bytes_ = 0;    // that the calls have received
  size_t unsent_bytes_ = 0;      // that the calls have to send
  size_t header_bytes_ = 0;      // of the current header block
  Call* reading_ = nullptr;      // its header block is being read
  Call* recent_ = nullptr;       // the last result of Find()
  std::vector<Call*> ready_;     // null: closed in the same turn
  FrameWalk walk_;
  FrameBudget budget_;
  ClosedStreams closed_streams_;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_SESSION_H_
