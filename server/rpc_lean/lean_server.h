#ifndef RLS_RPC_LEAN_LEAN_SERVER_H_
#define RLS_RPC_LEAN_LEAN_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/loop_threads.h"
#include "rpc/handler.h"
#include "rpc/rpc_server.h"

namespace rls {

// The lean transport: gRPC over HTTP/2 by nghttp2, on event loops. A connection
// stays on the loop that had the fewest when it came; what is read of it in one
// turn is decided in that turn and answered in one write. Its address may also
// be "unix:PATH".
//
// Failure: UNAVAILABLE when the address cannot be had (it says which),
// INVALID_ARGUMENT when a file of TLS cannot be used (it says which and why).
// The handler, clock and metrics must outlive the server.
//
// `loops` run, and go on to run until the server is destroyed.
absl::StatusOr<std::unique_ptr<RpcServer>> NewLeanServer(
    LoopThreads& loops, const RpcServerOptions& options,
    RateLimitHandler& handler, const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_RPC_LEAN_LEAN_SERVER_H_
