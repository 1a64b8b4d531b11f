#ifndef RLS_HTTP_HTTP_PARSER_H_
#define RLS_HTTP_HTTP_PARSER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "http/http_request.h"

namespace rls {

// The HTTP status of a refused request, and the reason in plain text.
struct HttpRefusal {
  int status = 0;
  absl::string_view reason;  // a constant
};

// Reads the requests of one connection, one after another. Boost.Beast knows
// the grammar. This class adds strict framing: if another server could read a
// request differently, the request is refused. These are refused:
//   bare CR, bare LF and other control characters; folded headers; white space
//   before the colon; two Content-Length headers; Content-Length beside
//   Transfer-Encoding; a Content-Length of anything but digits; a
//   Transfer-Encoding other than exactly "chunked", or in HTTP/1.0; no Host or
//   several in HTTP/1.1; a request beyond the bounds of http_bounds.h.
//
// Threads: one at a time.
// Source: RFC 9112.
class HttpParser {
 public:
  enum class Found {
    kPart,     // the bytes end before the head or the body ends
    kWhole,    // the head or the body is complete
    kRefused,  // see refusal(); the connection is unusable
  };

  HttpParser();
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  // Reads the next head from the beginning of `bytes`. After kPart, call it
  // again with the same bytes and more.
  Found ReadHead(absl::string_view bytes);

  // The rest is valid after ReadHead() has returned kWhole.

  size_t head_bytes() const { return head_bytes_; }
  // Views the bytes of the last ReadHead().
  const HttpRequest& request() const { return request_; }
  bool has_body() const;
  bool keeps_alive() const;
  bool is_http_1_1() const;
  bool expects_continue() const;

  // Copies the head to `memory`, which the request then views.
  void MoveHead(std::string& memory);

  // Reads the body from the beginning of `bytes`, and sets `taken` to the bytes
  // that it used. After kPart, call it again with the other bytes and more.
  // Appends the content to `content`; null: drops the content.
  Found ReadBody(absl::string_view bytes, std::string* content, size_t& taken);

  // The body of request(), after ReadBody().
  void SetBody(absl::string_view body) { request_.body = body; }

  // After the end of the request: the next ReadHead() reads another one.
  void Reset();

  const HttpRefusal& refusal() const { return refusal_; }

 private:
  class Grammar;
  struct State;

  Found Refuse(int status, absl::string_view reason);
  Found ScanHead(absl::string_view bytes);
  Found ParseHead(absl::string_view head);

  const std::unique_ptr<State> state_;
  HttpRequest request_;
  HttpRefusal refusal_;
  absl::string_view head_;  // the bytes that request_ views
  size_t lead_bytes_ = 0;   // of an empty line before the head
  size_t scanned_ = 0;      // bytes without the end of the head
  size_t head_bytes_ = 0;
  size_t body_wire_bytes_ = 0;
};

}  // namespace rls

#endif  // RLS_HTTP_HTTP_PARSER_H_
