#ifndef RLS_RPC_LEAN_CALL_H_
#define RLS_RPC_LEAN_CALL_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limiter/caller.h"
#include "net/unsent.h"
#include "rpc/handler.h"
#include "rpc_lean/message_buffer.h"
#include "rpc_lean/method.h"

namespace rls {

class CallPool;
class H2Session;

// One gRPC call: a stream of an HTTP/2 session, seen by whoever answers it.
//
// Threads: the loop's only, but for what is said of `reply`.
// Lifetime: until its stream is over and it is not held. A call that is held
// may find its stream gone; what it sends then goes nowhere.
class Call {
 public:
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Method method() const { return method_; }
  absl::Time arrived() const { return arrived_; }
  absl::Time deadline() const { return deadline_; }

  // The messages that have come; whether more may follow.
  MessageBuffer& received() { return received_; }
  bool request_ended() const { return request_ended_; }

  // Whether its messages may be compressed, by a way that is not known here.
  bool compressed() const { return compressed_; }

  // Sends one message; it is written at the end of the loop's turn. It ends the
  // call when too much waits for clients that do not read.
  void Send(absl::string_view message);
  // Ends the call. After this nothing more is sent.
  void Finish(const absl::Status& status);
  // Both, at the price of one.
  void Answer(absl::string_view message);

  // Nothing that is sent reaches anybody any more.
  bool finished() const { return finished_ || session_ == nullptr; }

  // While it is held it outlives its stream.
  void Hold() { held_ = true; }
  void Release();

  // Told when the client has gone, while the call is held.
  Caller& caller() { return *caller_; }

  // For an answer that another thread brings: written by it, read by the loop
  // once it has been handed over.
  RateLimitHandler::Reply reply;

 private:
  friend class CallPool;
  friend class H2Session;

  void Append(absl::string_view message);
  void Begin(H2Session& session, int32_t stream_id, absl::Time now);

  CallPool* pool_ = nullptr;
  H2Session* session_ = nullptr;  // null when the stream is over
  Call* before_ = nullptr;        // of the session's open calls
  Call* after_ = nullptr;
  int32_t stream_id_ = 0;

  // Of the request's headers.
  Method method_ = Method::kUnknown;
  absl::Time arrived_;
  absl::Time deadline_;
  size_t header_bytes_ = 0;
  bool is_post_ = false;
  bool is_head_ = false;
  bool is_grpc_ = false;
  bool bad_timeout_ = false;
  bool compressed_ = false;

  bool request_ended_ = false;
  bool ready_ = false;      // is to be served at the end of this turn
  bool responded_ = false;  // the response has begun
  bool finished_ = false;
  bool is_plain_ = false;  // answered by HTTP alone
  bool stop_ = false;      // no more of the request after the answer
  bool overdue_ = false;   // the client has not taken the answer
  bool held_ = false;

  MessageBuffer received_;
  Unsent sending_;  // messages with their prefixes
  absl::Status status_;
  std::optional<Caller> caller_;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CALL_H_
