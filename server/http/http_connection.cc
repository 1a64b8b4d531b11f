#include "http/http_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http/http_bounds.h"

namespace rls {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";

SteadyTime After(SteadyTime from, absl::Duration duration) {
  return from + absl::ToChronoNanoseconds(duration);
}

absl::string_view StatusLine(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\n";
    case 400:
      return "HTTP/1.1 400 Bad Request\r\n";
    case 404:
      return "HTTP/1.1 404 Not Found\r\n";
    case 405:
      return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408:
      return "HTTP/1.1 408 Request Timeout\r\n";
    case 413:
      return "HTTP/1.1 413 Content Too Large\r\n";
    case 417:
      return "HTTP/1.1 417 Expectation Failed\r\n";
    case 429:
      return "HTTP/1.1 429 Too Many Requests\r\n";
    case 431:
      return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 502:
      return "HTTP/1.1 502 Bad Gateway\r\n";
    case 503:
      return "HTTP/1.1 503 Service Unavailable\r\n";
    case 505:
      return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
    default:
      return "HTTP/1.1 500 Internal Server Error\r\n";
  }
}

// Frees the memory of an unusual request: most connections are idle.
void Empty(std::string& text) {
  constexpr size_t kKeptBytes = 1 << 10;
  text.clear();
  if (text.capacity() > kKeptBytes) text.shrink_to_fit();
}

}  // namespace

HttpConnection::HttpConnection(const HttpConnectionParts& parts,
                               FileDescriptor socket,
                               std::unique_ptr<TlsSession> tls,
                               const PeerAddress& peer)
    : parts_(parts),
      socket_(std::move(socket), std::move(tls)),
      peer_(peer),
      watch_(parts.loop.NewWatch(
          socket_.fd(), [this](EventLoop::Ready ready) { OnReady(ready); })),
      timer_(parts.loop.NewTimer([this] {
        wake_at_ = SteadyTime::max();
        OnTimer();
      })),
      handshake_(parts.handshakes,
                 [this] {
                   Read();
                   Flush();
                 }),
      since_(parts.loop.Now()) {
  setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDBUF, &kHttpSendBufferBytes,
             sizeof(kHttpSendBufferBytes));
  watch_->Want({.readable = true});
  Rearm();
}

HttpConnection::~HttpConnection() {
  if (exchange_ != nullptr) parts_.owner.Abandon(*exchange_);
}

size_t HttpConnection::held_bytes() const {
  return input_.capacity() + head_.capacity() + body_.capacity() +
         output_.capacity() + socket_.unsent();
}

void HttpConnection::OnReady(EventLoop::Ready ready) {
  requests_in_turn_ = 0;
  // A step of a handshake takes a millisecond, so the steps of all connections
  // wait for one another.
  if (ready.readable && !socket_.established()) {
    watch_->Want({});
    handshake_.Join();
    return;
  }
  if (ready.readable && !ended_) Read();
  Flush();
}

void HttpConnection::Read() {
  const std::optional<absl::string_view> read =
      socket_.Read(parts_.read_buffer);
  if (!read.has_value()) {
    OnEnd();
    return;
  }
  const absl::string_view bytes = *read;
  if (closing_) {
    lingers_ = true;
    lingered_bytes_ += bytes.size();
    broken_ = lingered_bytes_ > kMaxHttpLingerBytes;
    return;
  }
  if (!input_.empty()) {
    input_.append(bytes.data(), bytes.size());
    return;
  }
  const absl::string_view rest = bytes.substr(Take(bytes));
  input_.assign(rest.data(), rest.size());
}

// A client that has closed its side may still read the answer. But a held
// request is given up: most clients that close are gone.
void HttpConnection::OnEnd() {
  ended_ = true;
  if (exchange_ != nullptr) exchange_->caller().Leave();
}

// Returns the number of bytes that it used.
size_t HttpConnection::Take(absl::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !closing_) {
    const absl::string_view rest = bytes.substr(taken);
    const bool goes_on = phase_ == Phase::kHead   ? TakeHead(rest, taken)
                         : phase_ == Phase::kBody ? TakeBody(rest, taken)
                                                  : false;
    if (!goes_on) break;
  }
  // The bytes belong to the caller.
  if (phase_ == Phase::kBody && head_.empty()) parser_.MoveHead(head_);
  if (!closing_) return taken;
  lingers_ |= taken < bytes.size();
  return bytes.size();
}

void HttpConnection::TakeKept() {
  if (input_.empty()) return;
  const size_t taken = Take(input_);
  if (taken == input_.size()) {
    Empty(input_);
  } else {
    input_.erase(0, taken);
  }
}

bool HttpConnection::TakeHead(absl::string_view bytes, size_t& taken) {
  if (requests_in_turn_ >= kMaxHttpRequestsPerTurn || IsFull()) return false;
  const HttpParser::Found found = parser_.ReadHead(bytes);
  if (found == HttpParser::Found::kPart) {
    head_since_ = std::min(head_since_, parts_.loop.Now());
    return false;
  }
  if (found == HttpParser::Found::kRefused) {
    RefuseParsed();
    return false;
  }
  taken += parser_.head_bytes();
  ++requests_in_turn_;
  head_since_ = SteadyTime::max();
  is_head_ = parser_.request().method == "HEAD";
  is_1_1_ = parser_.is_http_1_1();
  keeps_alive_ = parser_.keeps_alive();
  lingers_ |= parser_.request().method == "CONNECT";  // it may go on sending
  plan_ = parts_.handler.PlanFor(parser_.request());
  if (!parser_.has_body()) {
    Dispatch();
    return true;
  }
  phase_ = Phase::kBody;
  since_ = parts_.loop.Now();
  // A client that has begun to send the body does not wait for this.
  if (parser_.expects_continue() && bytes.size() == parser_.head_bytes()) {
    output_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return true;
}

bool HttpConnection::TakeBody(absl::string_view bytes, size_t& taken) {
  size_t used = 0;
  const HttpParser::Found found =
      parser_.ReadBody(bytes, plan_.needs_body ? &body_ : nullptr, used);
  taken += used;
  if (found == HttpParser::Found::kPart) return false;
  if (found == HttpParser::Found::kRefused) {
    RefuseParsed();
    return false;
  }
  parser_.SetBody(body_);
  Dispatch();
  return true;
}

void HttpConnection::Dispatch() {
  phase_ = Phase::kDeciding;
  exchange_ = parts_.owner.Begin(*this, plan_.is_vital);
  if (exchange_ == nullptr) {
    parts_.refusals.Note(HttpReason::kTooManyWaiting, peer_);
    Answer({.status = 503,
            .type = kPlainText,
            .body = "too many requests wait for their answer\n"});
  } else {
    is_handling_ = true;
    parts_.handler.Handle(parser_.request(), HttpReply(*exchange_));
    is_handling_ = false;
  }
  parser_.Reset();
  Empty(head_);
  Empty(body_);
}

void HttpConnection::RefuseParsed() {
  const HttpRefusal refusal = parser_.refusal();
  Refuse(refusal.status == 413   ? HttpReason::kBodyTooLarge
         : refusal.status == 431 ? HttpReason::kHeadTooLarge
                                 : HttpReason::kFraming,
         refusal);
}

void HttpConnection::Refuse(HttpReason reason, const HttpRefusal& refusal) {
  parts_.refusals.Note(reason, peer_, refusal.reason);
  lingers_ = true;
  keeps_alive_ = false;
  is_head_ = parser_.request().method == "HEAD";
  Answer({.status = refusal.status,
          .type = kPlainText,
          .body = absl::StrCat(refusal.reason, "\n")});
}

void HttpConnection::Answer(const HttpAnswer& answer) {
  closing_ = !keeps_alive_ || draining_;
  absl::StrAppend(&output_, StatusLine(answer.status), parts_.owner.DateLine(),
                  "Content-Length: ",
                  answer.shared_body == nullptr ? answer.body.size()
                                                : answer.shared_body->size(),
                  "\r\n");
  if (!answer.type.empty()) {
    absl::StrAppend(&output_, "Content-Type: ", answer.type, "\r\n");
  }
  if (closing_) {
    output_ += "Connection: close\r\n";
  } else if (!is_1_1_) {
    output_ += "Connection: keep-alive\r\n";
  }
  absl::StrAppend(&output_, answer.headers, "\r\n",
                  is_head_ ? absl::string_view() : answer.body);
  if (!is_head_) shared_output_ = answer.shared_body;
  exchange_ = nullptr;
  phase_ = Phase::kHead;
  since_ = parts_.loop.Now();
  head_since_ = SteadyTime::max();
  parts_.owner.OnWaiting(*this);
}

void HttpConnection::Proceed() {
  requests_in_turn_ = 0;
  Flush();
}

void HttpConnection::Flush() {
  bool again = true;
  while (again && !broken_) {
    const size_t before = input_.size();
    const bool was_full = IsFull();
    TakeKept();
    broken_ |= !Write();
    again = unsent() == 0 && !input_.empty() &&
            (was_full || input_.size() != before);
  }
  if (!broken_) EndIfDone();
  if (broken_) {
    parts_.owner.OnClosed(*this);
    return;
  }
  if (requests_in_turn_ >= kMaxHttpRequestsPerTurn && !input_.empty()) {
    parts_.owner.OnPending(*this);
  }
  watch_->Want({.readable = !ended_ && input_.size() < kMaxHttpAheadBytes &&
                            unsent() < kMaxHttpUnsentBytes,
                .writable = unsent() > 0});
  Rearm();
  parts_.owner.OnHeld(*this);
}

// True: the next request waits.
bool HttpConnection::IsFull() const {
  return shared_output_ != nullptr || unsent() >= kMaxHttpUnsentBytes;
}

bool HttpConnection::Write() {
  if (!socket_.Write(output_)) return false;
  Empty(output_);
  if (shared_output_ != nullptr) {
    if (!socket_.Write(*shared_output_)) return false;
    shared_output_ = nullptr;
  }
  if (unsent() == 0) {
    unsent_since_ = SteadyTime::max();
  } else {
    unsent_since_ = std::min(unsent_since_, parts_.loop.Now());
  }
  return true;
}

// Closes the connection when nothing is left to do. If the client may still be
// sending, waits a moment: if bytes arrived after close(), the system would
// reset the connection, and the client could lose the answer.
void HttpConnection::EndIfDone() {
  if (unsent() > 0 || phase_ == Phase::kDeciding) return;
  if (ended_) {
    broken_ = requests_in_turn_ < kMaxHttpRequestsPerTurn || input_.empty();
    return;
  }
  if (!closing_ || phase_ == Phase::kLingering) return;
  socket_.CloseWriting();
  if (!lingers_) {
    broken_ = true;
    return;
  }
  phase_ = Phase::kLingering;
  since_ = parts_.loop.Now();
}

bool HttpConnection::has_request() const {
  return phase_ != Phase::kHead || !input_.empty() || unsent() > 0;
}

void HttpConnection::Drain() {
  draining_ = true;
  if (has_request()) return;
  parts_.owner.OnClosed(*this);
}

SteadyTime HttpConnection::Deadline() const {
  SteadyTime at = SteadyTime::max();
  if (unsent_since_ != SteadyTime::max()) {
    at = After(unsent_since_, kHttpAnswerTime);
  }
  if (!socket_.established()) return After(since_, kHttpHeadTime);
  switch (phase_) {
    case Phase::kHead:
      if (head_since_ != SteadyTime::max()) {
        return std::min(at, After(head_since_, kHttpHeadTime));
      }
      return input_.empty() ? std::min(at, After(since_, kHttpIdleTime)) : at;
    case Phase::kBody:
      return std::min(at, After(since_, kHttpBodyTime));
    case Phase::kDeciding:
      return at;
    default:
      return std::min(at, After(since_, kHttpLingerTime));
  }
}

void HttpConnection::Rearm() {
  const SteadyTime at = Deadline();
  if (at >= wake_at_) return;
  wake_at_ = at;
  timer_->Set(at);
}

void HttpConnection::OnTimer() {
  const SteadyTime now = parts_.loop.Now();
  if (now >= Deadline()) {
    if (unsent_since_ != SteadyTime::max() &&
        now >= After(unsent_since_, kHttpAnswerTime)) {
      parts_.refusals.Note(HttpReason::kAnswerNotRead, peer_);
      broken_ = true;
    } else if (!socket_.established()) {
      parts_.refusals.Note(HttpReason::kHeadTooSlow, peer_, "TLS handshake");
      broken_ = true;
    } else if (phase_ == Phase::kHead && head_since_ != SteadyTime::max()) {
      Refuse(HttpReason::kHeadTooSlow, {408, "the head took too long"});
    } else if (phase_ == Phase::kBody) {
      Refuse(HttpReason::kBodyTooSlow, {408, "the body took too long"});
    } else {
      broken_ = true;  // idle, or lingering
    }
  }
  Flush();
}

}  // namespace rls
