#ifndef RLS_RPC_GRPC_SERVER_H_
#define RLS_RPC_GRPC_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "rpc/handler.h"
#include "rpc/rpc_server.h"

namespace rls {

// The general transport: gRPC C++.
//
// Failure: UNAVAILABLE when the address cannot be had (it says which),
// INVALID_ARGUMENT when a file of TLS cannot be used (it says which and why).
// The handler, clock and metrics must outlive the server.
absl::StatusOr<std::unique_ptr<RpcServer>> NewGrpcServer(
    const RpcServerOptions& options, RateLimitHandler& handler,
    const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_RPC_GRPC_SERVER_H_
