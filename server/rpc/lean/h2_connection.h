#ifndef RLS_RPC_LEAN_H2_CONNECTION_H_
#define RLS_RPC_LEAN_H2_CONNECTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "net/accepted_socket.h"
#include "net/event_loop.h"
#include "net/socket.h"
#include "net/turn_queue.h"
#include "rpc/lean/h2_session.h"
#include "rpc/rpc_server.h"

namespace rls {

class H2Connection;

// The objects that the connections of one loop share.
struct H2ConnectionDependencies {
  EventLoop& loop;
  const RpcServerOptions& options;
  H2SessionDependencies session;
  // Invoked when the connection has output outside of its own Read(). The
  // receiver must invoke Flush() before the end of the loop's turn.
  absl::AnyInvocable<void(H2Connection&)>& pending;
  // Destroys the connection. Invoked when the connection is closed.
  absl::AnyInvocable<void(H2Connection&)>& closed;
  // One buffer each for all connections.
  std::string& read_buffer;
  std::string& write_buffer;
  // TLS handshakes.
  TurnQueue& handshakes;
};

// A client's connection: its socket, its HTTP/2 session, and the times at which
// it ends. In one turn of the loop it reads once and writes once. The steps of
// its TLS handshake wait in a queue, because each takes about a millisecond.
//
// Threads: the loop's thread only.
class H2Connection {
 public:
  // Output that is kept if the client does not read. Beyond this the connection
  // reads nothing, and takes no more output from its session.
  static constexpr size_t kMaxUnsentBytes = 256 << 10;
  // The longest time for the client to begin HTTP/2 (including the TLS
  // handshake), to complete a request, to take the whole answer, and to read
  // some of the output.
  static constexpr absl::Duration kPatience = absl::Seconds(30);
  // The longest time for the client to acknowledge GOAWAY, and then to close
  // the connection.
  static constexpr absl::Duration kGoAwayTime = absl::Seconds(1);

  // If `tls` is null, the connection is cleartext.
  H2Connection(const H2ConnectionDependencies& dependencies,
               FileDescriptor socket, std::unique_ptr<TlsSession> tls);
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

  // Writes the output. May invoke closed(*this).
  void Flush();

  // Accepts no more streams. Closes the connection when the open streams have
  // ended, at the latest after `grace`. A client that is still in its TLS
  // handshake has kGoAwayTime.
  void GoAway(absl::Duration grace);

  // Ends the connection at once with ENHANCE_YOUR_CALM, because it holds more
  // of `bound` than any other. Invokes closed(*this).
  void Calm(Bound bound);

  size_t open_calls() const { return session_.open_calls(); }
  size_t waiting_calls() const { return session_.waiting_calls(); }
  size_t held_bytes() const { return session_.held_bytes(); }

 private:
  void OnReady(EventLoop::Ready ready);
  void Handshake();
  void Read();
  bool Write();
  void Linger();
  void OnTimer();
  SteadyTime SilentAt() const;
  bool IsSilent(SteadyTime now);
  void Rearm();
  void WakeAt(SteadyTime time);

  const H2ConnectionDependencies dependencies_;
  AcceptedSocket socket_;
  H2Session session_;
  const std::unique_ptr<EventLoop::Watch> watch_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  TurnQueue::Place handshake_;
  bool broken_ = false;  // Flush() closes the connection
  bool going_away_ = false;
  bool lingering_ = false;

  // The times of the next actions; max(): never. One timer serves them all. It
  // may fire too early, and then does nothing.
  SteadyTime wake_at_ = SteadyTime::max();
  SteadyTime age_at_ = SteadyTime::max();
  SteadyTime goaway_at_ = SteadyTime::max();   // the latest time of GOAWAY
  SteadyTime close_at_ = SteadyTime::max();    // closes, even with open calls
  SteadyTime sweep_at_ = SteadyTime::max();    // drops overdue calls
  SteadyTime stalled_at_ = SteadyTime::max();  // closes if nothing is sent
  SteadyTime read_at_;                         // the last successful read
  bool pinged_ = false;                        // since read_at_
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_CONNECTION_H_
