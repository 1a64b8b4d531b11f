#ifndef RLS_RPC_GRPC_SERVER_H_
#define RLS_RPC_GRPC_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "rpc/handler.h"

namespace rls {

struct GrpcServerOptions {
  std::string address = "[::]:8081";  // host:port; port 0 takes a free one
  int threads = 0;                    // completion queues; 0: one per core
  int max_request_bytes = 4 << 20;
  // Of these four, zero means never. gRPC jitters the age by a tenth, so that
  // connections do not end together.
  absl::Duration max_connection_age = absl::Hours(24);
  absl::Duration max_connection_age_grace = absl::Hours(1);
  absl::Duration keepalive_time = absl::Minutes(5);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

// The general transport: gRPC C++, with ShouldRateLimit, grpc.health.v1 (the
// names "" and "envoy.service.ratelimit.v3.RateLimitService" and "ratelimit")
// and server reflection on one port.
class GrpcServer {
 public:
  virtual ~GrpcServer() = default;  // as Shutdown(absl::ZeroDuration())

  // "host:port" with the port that was taken.
  virtual const std::string& address() const = 0;

  // What health answers for every name.
  virtual void SetServing(bool serving) = 0;

  // Not serving from now on; takes no new call, finishes those in flight within
  // `grace`, cancels the rest, and returns when all is quiet. Call once.
  virtual void Shutdown(absl::Duration grace) = 0;
};

// Failure: UNAVAILABLE when the address cannot be had (it says which).
// The handler, clock and metrics must outlive the server.
absl::StatusOr<std::unique_ptr<GrpcServer>> NewGrpcServer(
    const GrpcServerOptions& options, RateLimitHandler& handler,
    const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_RPC_GRPC_SERVER_H_
