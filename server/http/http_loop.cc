#include "http/http_loop.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "http/http_bounds.h"
#include "net/tls_session.h"

namespace rls {
namespace {

constexpr size_t kSpareExchanges = 256;

}  // namespace

// Lives from the request to its answer, also if the connection ends before.
class HttpLoop::Exchange final : public HttpExchange {
 public:
  explicit Exchange(HttpLoop& loop) : loop_(loop) {}

  void Begin(HttpConnection& from) {
    connection = &from;
    caller_.emplace();
  }

  Caller& caller() override { return *caller_; }

  void Send(const HttpAnswer& answer) override {
    if (RunningLoop() == &loop_.dependencies_.loop) {
      loop_.Finish(*this, answer);
      return;
    }
    status_ = answer.status;
    type_ = std::string(answer.type);
    headers_ = std::string(answer.headers);
    body_ = std::string(answer.body);
    shared_body_ = answer.shared_body;
    loop_.HandOver(*this);
  }

  // The answer of another thread.
  void Finish() {
    loop_.Finish(*this, {.status = status_,
                         .type = type_,
                         .headers = headers_,
                         .body = body_,
                         .shared_body = std::move(shared_body_)});
  }

  // The loop's thread only. Null: the client is gone.
  HttpConnection* connection = nullptr;

 private:
  HttpLoop& loop_;
  std::optional<Caller> caller_;

  // Written by another thread before the hand-over, read by the loop after.
  int status_ = 0;
  std::string type_;
  std::string headers_;
  std::string body_;
  std::shared_ptr<const std::string> shared_body_;
};

HttpLoop::HttpLoop(const Dependencies& dependencies)
    : dependencies_(dependencies),
      handshakes_(dependencies.loop, kMaxHttpHandshakesPerTurn),
      parts_{.loop = dependencies.loop,
             .handler = dependencies.handler,
             .refusals = dependencies.refusals,
             .owner = *this,
             .read_buffer = read_buffer_,
             .handshakes = handshakes_} {}

HttpLoop::~HttpLoop() = default;

void HttpLoop::Do(absl::AnyInvocable<void()> task) {
  dependencies_.loop.Post([this, task = std::move(task)]() mutable {
    will_flush_ = true;
    task();
    FlushPending();
    will_flush_ = !pending_.empty();
    if (will_flush_) Do([] {});
    CheckQuiet();
  });
}

void HttpLoop::AwaitQuiet() {
  quiet_.wait();
  std::latch passed(1);
  dependencies_.loop.Post([&passed] { passed.count_down(); });
  passed.wait();
}

void HttpLoop::Adopt(FileDescriptor connection, const PeerAddress& peer) {
  count_.fetch_add(1, std::memory_order_relaxed);
  Do([this, connection = std::move(connection), peer]() mutable {
    Add(std::move(connection), peer);
  });
}

void HttpLoop::Add(FileDescriptor socket, const PeerAddress& peer) {
  std::unique_ptr<TlsSession> tls = NewTls();
  const bool has_tls = tls != nullptr || dependencies_.tls == nullptr;
  if (!has_tls || stopping_ || !MakeRoom(peer)) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  ++peers_[peer];
  auto connection = std::make_unique<HttpConnection>(parts_, std::move(socket),
                                                     std::move(tls), peer);
  HttpConnection& added = *connection;
  connections_.emplace(&added, std::move(connection));
  added.place = waiting_.insert(waiting_.end(), &added);
  if (draining_) added.CloseAfterAnswer();
}

// Null: cleartext, or a failure that is logged.
std::unique_ptr<TlsSession> HttpLoop::NewTls() {
  if (dependencies_.tls == nullptr) return nullptr;
  auto session = NewServerTlsSession(*dependencies_.tls);
  if (session.ok()) return *std::move(session);
  LogWarning(session.status().message());
  return nullptr;
}

// Closes a connection if there are too many. False: none waits for its client.
bool HttpLoop::MakeRoom(const PeerAddress& peer) {
  HttpReason reason = HttpReason::kPeerFull;
  auto oldest = waiting_.end();
  const auto of_peer = peers_.find(peer);
  if (of_peer != peers_.end() &&
      of_peer->second >= dependencies_.max_connections_of_peer) {
    oldest = std::find_if(
        waiting_.begin(), waiting_.end(),
        [&](const HttpConnection* one) { return one->peer() == peer; });
  } else if (connections_.size() >= dependencies_.max_connections) {
    reason = HttpReason::kPortFull;
    oldest = waiting_.begin();
  } else {
    return true;
  }
  if (oldest == waiting_.end()) {
    dependencies_.refusals.Note(reason, peer);
    return false;
  }
  dependencies_.refusals.Note(reason, (*oldest)->peer());
  OnClosed(**oldest);
  return true;
}

HttpExchange* HttpLoop::Begin(HttpConnection& connection, bool is_vital) {
  if (undecided_ >= dependencies_.max_undecided && !is_vital) return nullptr;
  ++undecided_;
  std::unique_ptr<Exchange> exchange;
  if (spare_.empty()) {
    exchange = std::make_unique<Exchange>(*this);
  } else {
    exchange = std::move(spare_.back());
    spare_.pop_back();
  }
  exchange->Begin(connection);
  deciding_.splice(deciding_.end(), waiting_, connection.place);
  connection.is_counted_deciding = true;
  return exchange.release();  // Finish() takes ownership again.
}

void HttpLoop::Abandon(HttpExchange& exchange) {
  static_cast<Exchange&>(exchange).connection = nullptr;
  // May call Finish().
  exchange.caller().Leave();
}

void HttpLoop::Finish(Exchange& exchange, const HttpAnswer& answer) {
  if (HttpConnection* const connection = exchange.connection) {
    connection->Answer(answer);
    if (!connection->is_handling()) OnPending(*connection);
  }
  --undecided_;
  std::unique_ptr<Exchange> owned(&exchange);
  if (spare_.size() < kSpareExchanges) spare_.push_back(std::move(owned));
  // The task after which the loop checks whether it has become quiet.
  if (stopping_ && undecided_ == 0) Do([] {});
}

void HttpLoop::HandOver(Exchange& exchange) {
  const MutexLock lock(&mutex_);
  handed_over_.push_back(&exchange);
  // One task finishes all exchanges that are handed over before it runs. It is
  // posted under the lock, so that the loop cannot end before Post() returns.
  if (handed_over_.size() == 1) {
    Do([this] { FinishAll(); });
  }
}

void HttpLoop::FinishAll() {
  {
    const MutexLock lock(&mutex_);
    finishing_.swap(handed_over_);
  }
  for (Exchange* const exchange : finishing_) exchange->Finish();
  finishing_.clear();
}

void HttpLoop::OnPending(HttpConnection& connection) {
  if (std::find(pending_.begin(), pending_.end(), &connection) ==
      pending_.end()) {
    pending_.push_back(&connection);
  }
  if (!std::exchange(will_flush_, true)) Do([] {});
}

void HttpLoop::FlushPending() {
  // Proceed() may close the connection, and may make it pending again, for the
  // next turn.
  const size_t count = pending_.size();
  for (size_t i = 0; i < count; ++i) {
    HttpConnection* const connection = std::exchange(pending_[i], nullptr);
    if (connection != nullptr) connection->Proceed();
  }
  pending_.erase(pending_.begin(),
                 pending_.begin() + static_cast<std::ptrdiff_t>(count));
}

void HttpLoop::OnWaiting(HttpConnection& connection) {
  std::list<HttpConnection*>& from =
      connection.is_counted_deciding ? deciding_ : waiting_;
  waiting_.splice(waiting_.end(), from, connection.place);
  connection.is_counted_deciding = false;
}

void HttpLoop::OnHeld(HttpConnection& connection) {
  size_t bytes = connection.held_bytes();
  if (bytes < kFreeHttpHeldBytes) bytes = 0;
  held_bytes_ = held_bytes_ - connection.counted_bytes + bytes;
  connection.counted_bytes = bytes;
  if (held_bytes_ > dependencies_.max_held_bytes) CloseLargest();
}

void HttpLoop::CloseLargest() {
  const auto largest =
      std::max_element(connections_.begin(), connections_.end(),
                       [](const auto& a, const auto& b) {
                         return a.first->counted_bytes < b.first->counted_bytes;
                       });
  dependencies_.refusals.Note(HttpReason::kMemory, largest->first->peer());
  OnClosed(*largest->first);
}

void HttpLoop::OnClosed(HttpConnection& connection) {
  const auto found = connections_.find(&connection);
  const std::unique_ptr<HttpConnection> removed = std::move(found->second);
  connections_.erase(found);
  (connection.is_counted_deciding ? deciding_ : waiting_)
      .erase(connection.place);
  held_bytes_ -= connection.counted_bytes;
  const auto of_peer = peers_.find(connection.peer());
  if (--of_peer->second == 0) peers_.erase(of_peer);
  std::replace(pending_.begin(), pending_.end(), &connection,
               static_cast<HttpConnection*>(nullptr));
  count_.fetch_sub(1, std::memory_order_relaxed);
  if (stopping_ && connections_.empty()) Do([] {});
}

std::vector<HttpConnection*> HttpLoop::All() const {
  std::vector<HttpConnection*> all;
  all.reserve(connections_.size());
  for (const auto& [connection, unused] : connections_) {
    all.push_back(connection);
  }
  return all;
}

void HttpLoop::Drain() {
  Do([this] {
    draining_ = true;
    for (HttpConnection* const connection : All()) connection->Drain();
  });
}

void HttpLoop::Shutdown(absl::Duration grace) {
  Do([this, grace] {
    draining_ = stopping_ = true;
    for (HttpConnection* const connection : All()) connection->Drain();
    end_ = dependencies_.loop.NewTimer([this] {
      for (HttpConnection* const connection : All()) OnClosed(*connection);
    });
    end_->Set(dependencies_.loop.Now() + absl::ToChronoNanoseconds(grace));
  });
}

void HttpLoop::CheckQuiet() {
  if (!stopping_ || is_quiet_ || !connections_.empty() || undecided_ > 0) {
    return;
  }
  is_quiet_ = true;
  end_.reset();
  quiet_.count_down();
}

absl::string_view HttpLoop::DateLine() {
  const SteadyTime now = dependencies_.loop.Now();
  if (now >= date_until_) {
    date_until_ = now + std::chrono::seconds(1);
    date_line_ =
        absl::FormatTime("Date: %a, %d %b %E4Y %H:%M:%S GMT\r\n",
                         dependencies_.clock.Now(), absl::UTCTimeZone());
  }
  return date_line_;
}

}  // namespace rls
