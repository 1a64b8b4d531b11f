#ifndef RLS_RPC_LEAN_LEAN_SERVER_H_
#define RLS_RPC_LEAN_LEAN_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rpc/handler.h"
#include "rpc/rpc_server.h"

namespace rls {

// The lean transport: gRPC over HTTP/2, by nghttp2 and event loops. A new
// connection goes to the loop with the fewest connections and stays there. The
// requests that arrive in one read are decided in the same turn of the loop and
// answered in one write. The address may also be "unix:PATH".
//
// Lifetime: `loops` must run from now until the server is destroyed. The
// handler, the clock and the metrics must outlive the server.
// Failure: UNAVAILABLE (cannot listen; the text names the address),
// INVALID_ARGUMENT (a TLS file is unusable; the text names the file and the
// reason).
absl::StatusOr<std::unique_ptr<RpcServer>> NewLeanServer(
    LoopThreads& loops, const RpcServerOptions& options,
    RateLimitHandler& handler, const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_RPC_LEAN_LEAN_SERVER_H_
