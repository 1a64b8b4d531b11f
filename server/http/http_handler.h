#ifndef RLS_HTTP_HTTP_HANDLER_H_
#define RLS_HTTP_HTTP_HANDLER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "http/http_request.h"
#include "limiter/caller.h"

namespace rls {

// Lifetime: the views need to be valid only during HttpReply::Send().
struct HttpAnswer {
  int status = 200;
  absl::string_view type = {};     // Content-Type; "": no such header
  absl::string_view headers = {};  // lines of AppendHttpHeader()
  absl::string_view body = {};
  // Instead of `body`, for a text of many answers: it is not copied for each
  // answer that waits. Never empty; null: `body`.
  std::shared_ptr<const std::string> shared_body = nullptr;
};

// A request whose answer is due.
class HttpExchange {
 public:
  // See HttpReply.
  virtual Caller& caller() = 0;
  virtual void Send(const HttpAnswer& answer) = 0;

 protected:
  ~HttpExchange() = default;
};

// The obligation to answer one request.
//
// Threads: any thread, one at a time.
class HttpReply {
 public:
  explicit HttpReply(HttpExchange& exchange) : exchange_(&exchange) {}
  HttpReply(HttpReply&& other) noexcept
      : exchange_(std::exchange(other.exchange_, nullptr)) {}
  HttpReply& operator=(HttpReply&&) = delete;
  // Without Send(): answers 500.
  ~HttpReply() {
    if (exchange_ != nullptr) exchange_->Send({.status = 500});
  }

  // Leaves when the client has closed its side of the connection.
  // Lifetime: until Send().
  Caller& caller() { return exchange_->caller(); }

  // Answers the request. Discards the answer if the client is gone. Call it
  // once.
  void Send(const HttpAnswer& answer) {
    std::exchange(exchange_, nullptr)->Send(answer);
  }

 private:
  HttpExchange* exchange_;  // null: answered or moved
};

// Answers the requests of a port.
//
// Threads: every method may be called by many threads at once, and must not
// block: each thread is an event loop.
// Lifetime: `request` is valid only during the call.
class HttpHandler {
 public:
  struct Plan {
    // False: the body is read and dropped.
    bool needs_body = false;
    // Health and metrics: answered also if too many requests are undecided.
    bool is_vital = false;
  };

  virtual ~HttpHandler() = default;

  // `request` has no body yet.
  virtual Plan PlanFor(const HttpRequest& request) = 0;

  // `reply` may be used at once or later.
  virtual void Handle(const HttpRequest& request, HttpReply reply) = 0;
};

}  // namespace rls

#endif  // RLS_HTTP_HTTP_HANDLER_H_
