#ifndef RLS_HTTP_HTTP_CONNECTION_H_
#define RLS_HTTP_HTTP_CONNECTION_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "http/http_handler.h"
#include "http/http_parser.h"
#include "http/http_refusals.h"
#include "net/accepted_socket.h"
#include "net/admission.h"
#include "net/event_loop.h"
#include "net/socket.h"
#include "net/turn_queue.h"

namespace rls {

class HttpConnection;

// The owner of the connections of a loop.
class HttpConnectionOwner {
 public:
  // A new exchange for the request of the connection. Null: too many requests
  // are undecided.
  virtual HttpExchange* Begin(HttpConnection& connection, bool is_vital) = 0;
  // The connection is gone before the answer.
  virtual void Abandon(HttpExchange& exchange) = 0;
  // Calls Proceed() before the end of the loop's turn, or in the next turn.
  virtual void OnPending(HttpConnection& connection) = 0;
  // From now on the connection waits for its client.
  virtual void OnWaiting(HttpConnection& connection) = 0;
  // held_bytes() may have changed. May destroy the connection.
  virtual void OnHeld(HttpConnection& connection) = 0;
  // Destroys the connection.
  virtual void OnClosed(HttpConnection& connection) = 0;
  // The header Date, as a line.
  virtual absl::string_view DateLine() = 0;

 protected:
  ~HttpConnectionOwner() = default;
};

// The objects that the connections of one loop share.
struct HttpConnectionParts {
  EventLoop& loop;
  HttpHandler& handler;
  HttpRefusals& refusals;
  HttpConnectionOwner& owner;
  std::string& read_buffer;
  TurnQueue& handshakes;  // of TLS
};

// A client's connection: its socket, the request that it reads, and the times
// at which it ends. In one turn of the loop it reads once and writes once.
//
// A request is read when the answer to the request before it is known. So the
// answers to pipelined requests come in order.
//
// Threads: the loop's thread only.
class HttpConnection {
 public:
  // If `tls` is null, the connection is cleartext.
  HttpConnection(const HttpConnectionParts& parts, FileDescriptor socket,
                 std::unique_ptr<TlsSession> tls, const PeerAddress& peer);
  ~HttpConnection();  // abandons the exchange
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // The answer to the request. The caller must call OnPending() of the owner,
  // unless the request is still being handled.
  void Answer(const HttpAnswer& answer);
  bool is_handling() const { return is_handling_; }

  // Takes the bytes that it has kept, and writes. May invoke OnClosed().
  void Proceed();

  void CloseAfterAnswer() { draining_ = true; }
  // As CloseAfterAnswer(). If the connection is idle, it closes now: may invoke
  // OnClosed().
  void Drain();

  // False: the connection waits for its client.
  bool is_deciding() const { return phase_ == Phase::kDeciding; }

  // The bytes of requests and answers in memory.
  size_t held_bytes() const;

  const PeerAddress& peer() const { return peer_; }

  // For the owner.
  std::list<HttpConnection*>::iterator place;
  bool is_counted_deciding = false;
  size_t counted_bytes = 0;

 private:
  enum class Phase {
    kHead,       // waits for a request, or reads its head
    kBody,       // reads the body
    kDeciding,   // the answer is due
    kLingering,  // the last answer is sent; drops the rest of the input
  };

  void OnReady(EventLoop::Ready ready);
  void Read();
  void OnEnd();
  size_t Take(absl::string_view bytes);
  bool TakeHead(absl::string_view bytes, size_t& taken);
  bool TakeBody(absl::string_view bytes, size_t& taken);
  void TakeKept();
  void Dispatch();
  void Refuse(HttpReason reason, const HttpRefusal& refusal);
  void RefuseParsed();

  void Flush();
  bool Write();
  bool IsFull() const;
  size_t unsent() const {
    return output_.size() + socket_.unsent() +
           (shared_output_ == nullptr ? 0 : shared_output_->size());
  }
  void EndIfDone();
  void Rearm();
  SteadyTime Deadline() const;
  void OnTimer();
  bool has_request() const;

  const HttpConnectionParts parts_;
  AcceptedSocket socket_;
  const PeerAddress peer_;
  HttpParser parser_;
  const std::unique_ptr<EventLoop::Watch> watch_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  TurnQueue::Place handshake_;

  Phase phase_ = Phase::kHead;
  std::string input_;  // bytes that are not taken yet
  std::string head_;   // of the request, while its body is read
  std::string body_;
  std::string output_;                                // of this turn
  std::shared_ptr<const std::string> shared_output_;  // after output_
  HttpExchange* exchange_ = nullptr;
  HttpHandler::Plan plan_;
  int requests_in_turn_ = 0;
  size_t lingered_bytes_ = 0;

  bool is_handling_ = false;  // in HttpHandler::Handle()
  bool is_head_ = false;      // the request has the method HEAD
  bool is_1_1_ = true;
  bool keeps_alive_ = true;
  bool draining_ = false;
  bool closing_ = false;  // takes no more requests
  bool lingers_ = false;  // at the end, because the client may still be sending
  bool ended_ = false;    // the client sends no more
  bool broken_ = false;   // Flush() closes the connection

  // max(): not now. One timer serves all times. It may fire too early, and then
  // does nothing.
  SteadyTime wake_at_ = SteadyTime::max();
  SteadyTime since_;  // the begin of the phase; of kHead: the last answer
  SteadyTime head_since_ = SteadyTime::max();    // an unfinished head
  SteadyTime unsent_since_ = SteadyTime::max();  // an answer not read
};

}  // namespace rls

#endif  // RLS_HTTP_HTTP_CONNECTION_H_
