#ifndef RLS_RPC_GRPC_GRPC_SERVER_H_
#define RLS_RPC_GRPC_GRPC_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "rpc/handler.h"
#include "rpc/rpc_server.h"

namespace rls {

// The general transport. It uses gRPC C++.
//
// Lifetime: the handler, the clock and the metrics must outlive the server.
// Failure: UNAVAILABLE (cannot listen; the text names the address),
// INVALID_ARGUMENT (a TLS file is unusable; the text names the file and the
// reason).
absl::StatusOr<std::unique_ptr<RpcServer>> NewGrpcServer(
    const RpcServerOptions& options, RateLimitHandler& handler,
    const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_RPC_GRPC_GRPC_SERVER_H_
