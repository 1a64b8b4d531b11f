#ifndef RLS_HTTP_HTTP_LOOP_H_
#define RLS_HTTP_HTTP_LOOP_H_

#include <atomic>
#include <cstddef>
#include <latch>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "http/http_bounds.h"
#include "http/http_connection.h"
#include "http/http_handler.h"
#include "http/http_refusals.h"
#include "net/admission.h"
#include "net/event_loop.h"
#include "net/socket.h"
#include "net/tls.h"
#include "net/turn_queue.h"

namespace rls {

// The connections of a port that live on one loop, within the loop's share of
// the bounds of the port.
//
// A new connection is never turned away while another one waits for its client:
// the one that waits longest is closed to make room. So a health check is
// answered although clients hold all connections, idle or half-way through a
// request.
//
// Threads: the public methods may be called by any thread.
// Lifetime: destroy it after AwaitQuiet(), or if it never adopted a connection.
class HttpLoop final : public HttpConnectionOwner {
 public:
  struct Dependencies {
    EventLoop& loop;
    HttpHandler& handler;
    const Clock& clock;
    HttpRefusals& refusals;
    size_t max_connections = 0;
    size_t max_connections_of_peer = 0;
    size_t max_undecided = 0;  // requests whose answer is due
    size_t max_held_bytes = kMaxHttpHeldBytes;
    const TlsContext* tls = nullptr;  // null: cleartext
  };
  explicit HttpLoop(const Dependencies& dependencies);
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  void Adopt(FileDescriptor connection, const PeerAddress& peer);
  // Connections that were adopted and are not closed.
  size_t connections() const { return count_.load(std::memory_order_relaxed); }

  // Closes idle connections, and each other one after its next answer.
  void Drain();

  // As Drain(). At the latest after `grace`, closes all connections. Invoke it
  // once.
  void Shutdown(absl::Duration grace);
  // Waits until there are no connections, no undecided requests, and no tasks
  // of this object on the loop.
  void AwaitQuiet();

 private:
  class Exchange;

  HttpExchange* Begin(HttpConnection& connection, bool is_vital) override;
  void Abandon(HttpExchange& exchange) override;
  void OnPending(HttpConnection& connection) override;
  void OnWaiting(HttpConnection& connection) override;
  void OnHeld(HttpConnection& connection) override;
  void OnClosed(HttpConnection& connection) override;
  absl::string_view DateLine() override;

  void Add(FileDescriptor socket, const PeerAddress& peer);
  std::unique_ptr<TlsSession> NewTls();
  bool MakeRoom(const PeerAddress& peer);
  void Finish(Exchange& exchange, const HttpAnswer& answer);
  void HandOver(Exchange& exchange);
  void FinishAll();
  void CloseLargest();
  std::vector<HttpConnection*> All() const;
  void FlushPending();
  void CheckQuiet();
  // Runs `task` on the loop's thread, and then sends the output.
  void Do(absl::AnyInvocable<void()> task);

  const Dependencies dependencies_;
  std::atomic<size_t> count_{0};
  std::latch quiet_{1};

  // The loop's thread only.
  std::string read_buffer_;
  TurnQueue handshakes_;
  const HttpConnectionParts parts_;
  std::vector<std::unique_ptr<Exchange>> spare_;
  std::vector<Exchange*> finishing_;  // a member to reuse its memory
  size_t undecided_ = 0;
  absl::flat_hash_map<HttpConnection*, std::unique_ptr<HttpConnection>>
      connections_;
  std::list<HttpConnection*> waiting_;  // for their clients, longest first
  std::list<HttpConnection*> deciding_;
  absl::flat_hash_map<PeerAddress, size_t> peers_;  // connections of each
  size_t held_bytes_ = 0;
  std::vector<HttpConnection*> pending_;
  bool will_flush_ = false;  // FlushPending() runs in this turn
  std::string date_line_;
  SteadyTime date_until_ = SteadyTime::min();
  bool draining_ = false;
  bool stopping_ = false;
  bool is_quiet_ = false;
  std::unique_ptr<EventLoop::Timer> end_;  // of the grace

  Mutex mutex_;
  std::vector<Exchange*> handed_over_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_HTTP_HTTP_LOOP_H_
