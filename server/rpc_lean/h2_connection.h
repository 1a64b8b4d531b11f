#ifndef RLS_RPC_LEAN_H2_CONNECTION_H_
#define RLS_RPC_LEAN_H2_CONNECTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "net/event_loop.h"
#include "net/file_descriptor.h"
#include "rpc/rpc_server.h"
#include "rpc_lean/h2_session.h"
#include "rpc_lean/h2_socket.h"

namespace rls {

class H2Connection;

// What the connections of one loop share.
struct H2ConnectionParts {
  EventLoop& loop;
  const RpcServerOptions& options;
  H2SessionParts session;
  // Runs once for all connections that have something to send when a turn ends
  // in which they were not read.
  absl::AnyInvocable<void(H2Connection&)>& pending;
  // Destroys the connection, which has nothing more to do.
  absl::AnyInvocable<void(H2Connection&)>& closed;
  // What is read into and written from; one each for all.
  std::string& read_buffer;
  std::string& write_buffer;
};

// A client's connection: its socket, its HTTP/2 session, and the times at which
// it ends. In one turn it reads once and writes once.
//
// Threads: the loop's only.
class H2Connection {
 public:
  // Kept because the client does not read; beyond that it is not read from, and
  // nothing more is asked of its session.
  static constexpr size_t kMaxUnsentBytes = 256 << 10;
  // For a client to begin with HTTP/2, its TLS handshake included, for a
  // request to come to its end and its answer to be taken, and for a client to
  // read anything of what is sent.
  static constexpr absl::Duration kPatience = absl::Seconds(30);
  // For a client to answer GOAWAY with opening no more streams, and then to
  // close.
  static constexpr absl::Duration kGoAwayTime = absl::Seconds(1);

  // `tls` is the server's end; null: none.
  H2Connection(const H2ConnectionParts& parts, FileDescriptor socket,
               std::unique_ptr<TlsSession> tls);
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

  // Writes what there is. May end in closed(*this).
  void Flush();

  // Ends it: opens no more streams, and closes when those that are open are
  // over, or after `grace`. Who is still at its TLS handshake has kGoAwayTime.
  void GoAway(absl::Duration grace);

  size_t open_calls() const { return session_.open_calls(); }

 private:
  void OnReady(EventLoop::Ready ready);
  void Read();
  bool Write();
  void Linger();
  void OnTimer();
  SteadyTime SilentAt() const;
  bool IsSilent(SteadyTime now);
  void Rearm();
  void WakeAt(SteadyTime time);

  const H2ConnectionParts parts_;
  H2Socket socket_;
  H2Session session_;
  const std::unique_ptr<EventLoop::Watch> watch_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  bool broken_ = false;  // it is to be closed
  bool going_away_ = false;
  bool lingering_ = false;

  // When something is to be done, if ever. One timer serves them all; it may
  // come too early, and finds nothing to do.
  SteadyTime wake_at_ = SteadyTime::max();
  SteadyTime age_at_ = SteadyTime::max();
  SteadyTime goaway_at_ = SteadyTime::max();   // no later
  SteadyTime close_at_ = SteadyTime::max();    // with calls open
  SteadyTime sweep_at_ = SteadyTime::max();    // for overdue calls
  SteadyTime stalled_at_ = SteadyTime::max();  // unless it reads till then
  SteadyTime read_at_;                         // when anything was read last
  bool pinged_ = false;                        // since then
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_CONNECTION_H_
