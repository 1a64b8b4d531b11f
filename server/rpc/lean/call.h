#ifndef RLS_RPC_LEAN_CALL_H_
#define RLS_RPC_LEAN_CALL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limiter/caller.h"
#include "net/socket.h"
#include "rpc/handler.h"
#include "rpc/lean/inflate.h"
#include "trace/trace_context.h"

namespace rls {

// The methods of the lean transport.
enum class Method {
  kUnknown,  // answered with UNIMPLEMENTED
  kShouldRateLimit,
  kHealthCheck,
  kHealthList,
  kHealthWatch,
  kReflection,
};

// `path` is the path of the request: "/package.Service/Method".
Method MethodOf(absl::string_view path);

// True: the client sends exactly one message. False: the client sends any
// number of messages, and each is answered when it arrives.
constexpr bool TakesOneMessage(Method method) {
  return method != Method::kReflection;
}

// Each gRPC message follows a flag byte and a length of four bytes.
inline constexpr size_t kMessagePrefixBytes = 5;

// The received bytes of a gRPC stream. A message may be split over any number
// of frames, and a frame may hold parts of several messages.
class MessageBuffer {
 public:
  enum class Found {
    kNothing,  // the next message is not complete
    kMessage,
    kCompressed,  // a message whose flag says that it is compressed
    kTooLarge,    // the length of the next message; found before its bytes
  };

  void Append(absl::string_view bytes);

  // Takes the next message. It is valid until the next Append() or Clear().
  Found Take(size_t max_bytes, absl::string_view& message);

  // True: every received byte was taken.
  bool empty() const { return taken_ == bytes_.size(); }
  size_t size() const { return bytes_.size(); }

  void Clear();

 private:
  std::string bytes_;
  size_t taken_ = 0;
};

class CallPool;
class H2Session;

// One gRPC call: a stream of an HTTP/2 session, as its handler sees it.
//
// Threads: the loop's thread only. Exception: `answer`.
// Lifetime: until its stream is closed and the call is not retained. A retained
// call may outlive its stream. It then discards all output.
class Call {
 public:
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Method method() const { return method_; }
  absl::Time arrived() const { return arrived_; }
  absl::Time deadline() const { return deadline_; }

  MessageBuffer& received() { return received_; }
  // True: the client sends no more messages.
  bool request_ended() const { return request_ended_; }

  // Replaces `message`, which was received compressed, by the message itself.
  // It is valid until the next Inflate() of this call.
  // Failure: as Inflate(), and RESOURCE_EXHAUSTED if the bytes exceed a bound
  // of the connection or the loop.
  absl::Status Inflate(size_t max_bytes, absl::string_view& message);

  // Queues one message. It is written at the end of the loop's turn. If the
  // loop or the connection has too many bytes to send, or if the connection has
  // sent too many messages, the call ends with RESOURCE_EXHAUSTED instead.
  void Send(absl::string_view message);
  // Ends the call. Later output is discarded.
  void Finish(const absl::Status& status);
  // Sends one message and ends the call with OK, in one step.
  void Answer(absl::string_view message);

  // True: the call discards all output, because it has ended or because its
  // stream is closed.
  bool finished() const { return finished_ || session_ == nullptr; }

  // A retained call outlives its stream, until Release().
  void Retain() { retained_ = true; }
  void Release();

  // If the stream is closed while the call is retained, the session invokes
  // caller().Leave().
  Caller& caller() { return *caller_; }

  // The trace headers of the request; null: it has none, or requests are not
  // traced.
  const TraceHeaders* trace_headers() const {
    return trace_headers_ == nullptr || trace_headers_->empty()
               ? nullptr
               : trace_headers_.get();
  }

  // Carries an answer from another thread to the loop. The other thread writes
  // it before the hand-over; the loop reads it after.
  RateLimitHandler::Answer answer;

 private:
  friend class CallPool;
  friend class H2Session;
  friend struct H2Response;

  void Append(absl::string_view message);
  void AddTraceHeader(absl::string_view name, absl::string_view value);
  void AddReceived(absl::string_view bytes);
  void DropReceived();
  // In received_ and inflated_.
  size_t received_bytes() const { return received_.size() + inflated_.size(); }
  // Changes the counts of the connection and of the loop.
  void CountReceived(ptrdiff_t bytes);
  void CountUnsent(ptrdiff_t bytes);
  void Begin(H2Session& session, int32_t stream_id, absl::Time now);

  CallPool* pool_ = nullptr;
  H2Session* session_ = nullptr;  // null: the stream is closed
  Call* before_ = nullptr;        // in the session's list of open calls
  Call* after_ = nullptr;
  int32_t stream_id_ = 0;

  // From the headers of the request.
  Method method_ = Method::kUnknown;
  absl::Time arrived_;
  absl::Time deadline_;
  bool is_post_ = false;
  bool is_head_ = false;
  bool is_grpc_ = false;
  bool bad_timeout_ = false;
  Encoding encoding_ = Encoding::kIdentity;

  bool request_ended_ = false;
  bool ready_ = false;      // served at the end of this turn
  bool responded_ = false;  // the response has begun
  bool finished_ = false;
  bool http_only_ = false;  // refused with an HTTP status, without gRPC
  bool stop_ = false;       // after the answer, stop reading the request
  bool overdue_ = false;    // the client has not taken the answer
  bool retained_ = false;

  MessageBuffer received_;
  std::string inflated_;  // a received message
  Unsent sending_;        // messages with their prefixes
  absl::Status status_;
  std::optional<Caller> caller_;
  // Made for the first request with trace headers, and kept for later ones.
  std::unique_ptr<TraceHeaders> trace_headers_;
};

// The calls of one loop, and the bounds on their number and memory. Reuses the
// memory of finished calls.
//
// Threads: the loop's thread only.
// Lifetime: outlives its calls.
class CallPool {
 public:
  // Calls that are open or retained at the same time. A further stream is
  // refused.
  static constexpr size_t kMaxCalls = 100'000;
  // Calls whose request is not complete.
  static constexpr size_t kMaxIncompleteCalls = 16'384;
  // Bytes of requests that are not answered yet. A request that would exceed
  // this is refused.
  static constexpr size_t kMaxBufferedBytes = 64 << 20;
  // Bytes of answers to clients that do not read. A stream that would exceed
  // this is ended. The only answer of a call is sent even beyond this.
  static constexpr size_t kMaxUnsentBytes = 64 << 20;

  // Near one of these bounds the loop is short of calls or of bytes. It then
  // ends the connections that hold most, before others are refused.
  enum class Shortage { kNone, kCalls, kBytes };

  // `on_shortage` is invoked by CheckShortage().
  explicit CallPool(std::function<void()> on_shortage = [] {})
      : on_shortage_(std::move(on_shortage)) {}
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  // Null: there are kMaxCalls calls.
  Call* Get();
  void Put(Call& call);
  void CheckShortage() {
    if (shortage() != Shortage::kNone) on_shortage_();
  }

  size_t size() const { return size_; }

  // A bound is reached to seven eighths.
  Shortage shortage() const { return ShortageAt(7); }
  // The shortage has not ended: a bound is still reached to six eighths.
  Shortage lasting_shortage() const { return ShortageAt(6); }

  size_t buffered_bytes = 0;    // that the calls have received
  size_t unsent_bytes = 0;      // that the calls have to send
  size_t incomplete_calls = 0;  // whose request is not complete

 private:
  static constexpr size_t kSpareCalls = 1024;  // kept for reuse, at most

  Shortage ShortageAt(size_t eighths) const;

  const std::function<void()> on_shortage_;
  std::vector<std::unique_ptr<Call>> spare_;
  size_t size_ = 0;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CALL_H_
