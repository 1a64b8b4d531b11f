#include "rpc/lean/lean_server.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <latch>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "net/admission.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "net/socket.h"
#include "net/tls.h"
#include "net/turn_queue.h"
#include "rpc/handler.h"
#include "rpc/lean/bound_report.h"
#include "rpc/lean/call_service.h"
#include "rpc/lean/h2_connection.h"

namespace rls {
namespace {

// A handshake takes about a millisecond. The clients of a loop wait for at most
// this many in each of its turns.
constexpr size_t kHandshakesPerTurn = 1;

// If the loop is short of calls or of bytes, a connection that holds less is
// not ended.
constexpr size_t kLeastShedCalls = 32;
constexpr size_t kLeastShedBytes = 64 << 10;

// The connections that live on one loop, and their calls.
//
// Threads: every method may be called by any thread.
// Lifetime: destroy it after AwaitQuiet(), or if it never adopted a connection.
class LeanLoop {
 public:
  struct Dependencies {
    EventLoop& loop;
    const RpcServerOptions& options;
    RateLimitHandler& handler;
    const Clock& clock;
    RequestMetrics& metrics;
    BoundReport& report;
    const TlsContext* tls;  // null: cleartext
  };
  explicit LeanLoop(const Dependencies& dependencies);
  LeanLoop(const LeanLoop&) = delete;
  LeanLoop& operator=(const LeanLoop&) = delete;

  void Adopt(FileDescriptor connection, Admission::Ticket ticket);
  // Connections that were adopted and are not closed.
  size_t connections() const { return count_.load(std::memory_order_relaxed); }

  // Runs `done` on the loop's thread.
  void SetServing(bool serving, absl::AnyInvocable<void()> done);

  // Accepts no more connections and ends all Watch calls. Closes each
  // connection when its calls have ended, at the latest after `grace`. Invoke
  // it once.
  void Shutdown(absl::Duration grace);
  // Waits until there are no connections, no calls, and no tasks of this object
  // on the loop.
  void AwaitQuiet();

 private:
  void Add(FileDescriptor socket, Admission::Ticket ticket);
  void Remove(H2Connection& connection);
  void FlushPending();
  void Shed();
  void CheckQuiet();
  // Runs `task` on the loop's thread, and then sends the output.
  void Do(absl::AnyInvocable<void()> task);

  const Dependencies dependencies_;
  std::atomic<size_t> count_{0};
  std::latch quiet_{1};

  // The loop's thread only. Members are in an order that destroys the
  // connections before the calls and the memory that they use.
  CallPool calls_;
  H2Memory memory_;
  TurnQueue handshakes_;
  CallService service_;
  std::string read_buffer_;
  std::string write_buffer_;
  absl::AnyInvocable<void(H2Connection&)> on_pending_;
  absl::AnyInvocable<void(H2Connection&)> on_closed_;
  // The ticket is given back after the socket is closed.
  struct Admitted {
    Admission::Ticket ticket;
    std::unique_ptr<H2Connection> connection;
  };
  absl::flat_hash_map<H2Connection*, Admitted> connections_;
  std::vector<H2Connection*> pending_;  // have output to send
  bool will_flush_ = false;             // FlushPending() runs in this turn
  bool will_shed_ = false;              // Shed() runs in this turn
  bool stopping_ = false;
  absl::Duration grace_;
  bool is_quiet_ = false;
};

LeanLoop::LeanLoop(const Dependencies& dependencies)
    : dependencies_(dependencies),
      calls_([this] {
        if (std::exchange(will_shed_, true)) return;
        Do([this] { Shed(); });
      }),
      handshakes_(dependencies.loop, kHandshakesPerTurn),
      service_({.loop = dependencies.loop,
                .post = [this](auto task) { Do(std::move(task)); },
                .handler = dependencies.handler,
                .clock = dependencies.clock,
                .metrics = dependencies.metrics,
                .max_request_bytes = static_cast<size_t>(
                    dependencies.options.max_request_bytes)}),
      on_pending_([this](H2Connection& connection) {
        if (std::find(pending_.begin(), pending_.end(), &connection) ==
            pending_.end()) {
          pending_.push_back(&connection);
        }
        if (!std::exchange(will_flush_, true)) Do([] {});
      }),
      on_closed_([this](H2Connection& connection) { Remove(connection); }) {}

void LeanLoop::Do(absl::AnyInvocable<void()> task) {
  dependencies_.loop.Post([this, task = std::move(task)]() mutable {
    will_flush_ = true;
    task();
    FlushPending();
    will_flush_ = false;
    CheckQuiet();
  });
}

void LeanLoop::AwaitQuiet() {
  quiet_.wait();
  std::latch passed(1);
  dependencies_.loop.Post([&passed] { passed.count_down(); });
  passed.wait();
}

void LeanLoop::Adopt(FileDescriptor connection, Admission::Ticket ticket) {
  count_.fetch_add(1, std::memory_order_relaxed);
  Do([this, connection = std::move(connection),
      ticket = std::move(ticket)]() mutable {
    Add(std::move(connection), std::move(ticket));
  });
}

void LeanLoop::Add(FileDescriptor socket, Admission::Ticket ticket) {
  std::unique_ptr<TlsSession> tls;
  if (dependencies_.tls != nullptr) {
    auto session = NewServerTlsSession(*dependencies_.tls);
    if (!session.ok()) {
      LogWarning(session.status().message());
      count_.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    tls = *std::move(session);
  }
  auto connection = std::make_unique<H2Connection>(
      H2ConnectionDependencies{
          .loop = dependencies_.loop,
          .options = dependencies_.options,
          .session = {.clock = dependencies_.clock,
                      .calls = calls_,
                      .memory = memory_,
                      .handler = service_,
                      .report = dependencies_.report,
                      .max_request_bytes = static_cast<size_t>(
                          dependencies_.options.max_request_bytes),
                      .reads_trace_headers = dependencies_.handler.traces(),
                      .peer = ticket.peer()},
          .pending = on_pending_,
          .closed = on_closed_,
          .read_buffer = read_buffer_,
          .write_buffer = write_buffer_,
          .handshakes = handshakes_},
      std::move(socket), std::move(tls));
  H2Connection& added = *connection;
  connections_.emplace(&added,
                       Admitted{std::move(ticket), std::move(connection)});
  if (stopping_) {
    added.GoAway(grace_);
  } else {
    added.Flush();
  }
}

void LeanLoop::Remove(H2Connection& connection) {
  const auto found = connections_.find(&connection);
  {
    const Admitted removed = std::move(found->second);
    connections_.erase(found);
    // Ends the calls of the connection, which may add it to pending_.
  }
  std::replace(pending_.begin(), pending_.end(), &connection,
               static_cast<H2Connection*>(nullptr));
  count_.fetch_sub(1, std::memory_order_relaxed);
  CheckQuiet();
}

void LeanLoop::FlushPending() {
  // Flush() may close the connection, but makes no other connection pending.
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i] != nullptr) pending_[i]->Flush();
  }
  pending_.clear();
}

// Ends the connections that hold most, until the shortage is over. Calls that
// wait for the limiter do not count.
void LeanLoop::Shed() {
  will_shed_ = false;
  const CallPool::Shortage shortage = calls_.shortage();
  if (shortage == CallPool::Shortage::kNone) return;
  const bool of_calls = shortage == CallPool::Shortage::kCalls;
  std::vector<std::pair<size_t, H2Connection*>> by_size;
  for (const auto& [connection, unused] : connections_) {
    const size_t held =
        of_calls ? connection->waiting_calls() : connection->held_bytes();
    if (held >= (of_calls ? kLeastShedCalls : kLeastShedBytes))
      by_size.emplace_back(held, connection);
  }
  std::sort(by_size.begin(), by_size.end(), std::greater<>());
  for (const auto& [unused, connection] : by_size) {
    if (calls_.lasting_shortage() != shortage) return;
    connection->Calm(of_calls ? Bound::kStreams : Bound::kRequestBytes);
  }
}

void LeanLoop::SetServing(bool serving, absl::AnyInvocable<void()> done) {
  Do([this, serving, done = std::move(done)]() mutable {
    service_.SetServing(serving);
    done();
  });
}

void LeanLoop::Shutdown(absl::Duration grace) {
  Do([this, grace] {
    stopping_ = true;
    grace_ = grace;
    service_.Stop();
    std::vector<H2Connection*> all;
    all.reserve(connections_.size());
    for (const auto& [connection, unused] : connections_) {
      all.push_back(connection);
    }
    for (H2Connection* const connection : all) connection->GoAway(grace);
  });
}

void LeanLoop::CheckQuiet() {
  if (!stopping_ || is_quiet_ || !connections_.empty() ||
      service_.undecided_calls() > 0) {
    return;
  }
  is_quiet_ = true;
  quiet_.count_down();
}

class LeanServer final : public RpcServer {
 public:
  LeanServer(LoopThreads& threads, const RpcServerOptions& options,
             RateLimitHandler& handler, const Clock& clock, Metrics& metrics,
             std::unique_ptr<TlsContext> tls)
      : options_(options),
        metrics_(metrics),
        admission_("grpc",
                   WithinDescriptors({options_.max_connections,
                                      options_.max_connections_per_peer},
                                     kGrpcDescriptorPercent),
                   clock, metrics),
        report_(clock, metrics),
        tls_(std::move(tls)),
        listener_(threads[0]) {
    for (size_t i = 0; i < threads.size(); ++i) {
      loops_.push_back(std::make_unique<LeanLoop>(
          LeanLoop::Dependencies{.loop = threads[i],
                                 .options = options_,
                                 .handler = handler,
                                 .clock = clock,
                                 .metrics = metrics_,
                                 .report = report_,
                                 .tls = tls_.get()}));
    }
  }

  ~LeanServer() override {
    if (listener_.is_open()) Shutdown(absl::ZeroDuration());
  }

  absl::Status Start() {
    return listener_.Start(
        "gRPC", options_.address,
        [this](FileDescriptor connection, const PeerAddress& peer) {
          Assign(std::move(connection), peer);
        },
        [this](int error) { admission_.AcceptFailed(error); });
  }

  const std::string& address() const override { return listener_.address(); }

  // Waits for all loops. Every later health check therefore sees the new state.
  void SetServing(bool serving) override {
    std::latch done(static_cast<ptrdiff_t>(loops_.size()));
    for (const auto& loop : loops_) {
      loop->SetServing(serving, [&done] { done.count_down(); });
    }
    done.wait();
  }

  void Shutdown(absl::Duration grace) override {
    listener_.Close();
    for (const auto& loop : loops_) loop->Shutdown(grace);
    for (const auto& loop : loops_) loop->AwaitQuiet();
    loops_.clear();
  }

 private:
  void Assign(FileDescriptor connection, const PeerAddress& peer) {
    std::optional<Admission::Ticket> ticket = admission_.Admit(peer);
    if (!ticket.has_value()) return;
    LoopWithFewestConnections(loops_).Adopt(std::move(connection),
                                            *std::move(ticket));
  }

  const RpcServerOptions options_;
  RequestMetrics metrics_;
  Admission admission_;
  BoundReport report_;
  const std::unique_ptr<TlsContext> tls_;  // null: cleartext
  std::vector<std::unique_ptr<LeanLoop>> loops_;
  RunningListener listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> NewLeanServer(
    LoopThreads& loops, const RpcServerOptions& options,
    RateLimitHandler& handler, const Clock& clock, Metrics& metrics) {
  std::unique_ptr<TlsContext> tls;
  if (options.tls.has_value()) {
    auto context = NewServerTlsContext(*options.tls);
    if (!context.ok()) return context.status();
    tls = *std::move(context);
  }
  auto server = std::make_unique<LeanServer>(loops, options, handler, clock,
                                             metrics, std::move(tls));
  if (absl::Status started = server->Start(); !started.ok()) return started;
  return server;
}

}  // namespace rls
