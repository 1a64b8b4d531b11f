#ifndef RLS_RPC_LEAN_LEAN_LOOP_H_
#define RLS_RPC_LEAN_LEAN_LOOP_H_

#include <atomic>
#include <cstddef>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "net/event_loop.h"
#include "net/file_descriptor.h"
#include "net/tls.h"
#include "rpc/rpc_server.h"
#include "rpc_lean/call_pool.h"
#include "rpc_lean/call_service.h"
#include "rpc_lean/h2_connection.h"

namespace rls {

// The connections of the lean transport that live on one loop, and their calls.
//
// Threads: every method may be called by any thread.
// Lifetime: ends after AwaitQuiet(), or when nothing was adopted.
class LeanLoop {
 public:
  struct Parts {
    EventLoop& loop;
    const RpcServerOptions& options;
    RateLimitHandler& handler;
    const Clock& clock;
    RequestMetrics& metrics;
    const TlsContext* tls;  // null: none
  };
  explicit LeanLoop(const Parts& parts);
  LeanLoop(const LeanLoop&) = delete;
  LeanLoop& operator=(const LeanLoop&) = delete;

  void Adopt(FileDescriptor connection);
  // What it has been given and has not closed.
  size_t connections() const { return count_.load(std::memory_order_relaxed); }

  void SetServing(bool serving, absl::AnyInvocable<void()> done);

  // Takes no more connections, ends health, and closes each connection when its
  // calls are over, or after `grace`. Once.
  void Shutdown(absl::Duration grace);
  // Until no connection and no call is left, nor anything on the loop that
  // would come back to this.
  void AwaitQuiet();

 private:
  void Add(FileDescriptor socket);
  void Remove(H2Connection& connection);
  void FlushPending();
  void LookWhetherQuiet();
  // Does it on the loop's thread and writes what came of it.
  void Do(absl::AnyInvocable<void()> task);

  const Parts parts_;
  std::atomic<size_t> count_{0};
  std::latch quiet_{1};

  // Of the loop's thread. Connections go before the calls that they use.
  CallPool calls_;
  H2Memory memory_;
  CallService service_;
  std::string read_buffer_;
  std::string write_buffer_;
  absl::AnyInvocable<void(H2Connection&)> on_pending_;
  absl::AnyInvocable<void(H2Connection&)> on_closed_;
  absl::flat_hash_map<H2Connection*, std::unique_ptr<H2Connection>>
      connections_;
  std::vector<H2Connection*> pending_;  // have something to send
  bool will_flush_ = false;             // before this turn ends
  bool stopping_ = false;
  absl::Duration grace_;
  bool told_quiet_ = false;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_LEAN_LOOP_H_
