#ifndef RLS_RPC_RPC_SERVER_H_
#define RLS_RPC_RPC_SERVER_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "net/tls.h"

namespace rls {

struct RpcServerOptions {
  // host:port, where port 0 takes a free one, or unix:PATH.
  std::string address = "[::]:8081";
  int threads = 0;  // that serve calls; 0: one per core
  int max_request_bytes = 4 << 20;
  // Of these four, zero means never. The age is jittered by a tenth, so that
  // connections do not end together.
  absl::Duration max_connection_age = absl::Hours(24);
  absl::Duration max_connection_age_grace = absl::Hours(1);
  absl::Duration keepalive_time = absl::Minutes(5);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  // None: no TLS. Files that have changed are used for later connections.
  std::optional<ServerTlsOptions> tls;
};

inline size_t ThreadsOf(const RpcServerOptions& options) {
  if (options.threads > 0) return static_cast<size_t>(options.threads);
  return std::max(1U, std::thread::hardware_concurrency());
}

// Of a call's headers. gRPC's own 8 KiB is less than a gateway may pass on of a
// client's tracing headers.
inline constexpr int kMaxMetadataBytes = 64 << 10;

// A transport: ShouldRateLimit, grpc.health.v1 (the names "" and
// "envoy.service.ratelimit.v3.RateLimitService" and "ratelimit") and server
// reflection on one port.
class RpcServer {
 public:
  virtual ~RpcServer() = default;  // as Shutdown(absl::ZeroDuration())

  // As it was given, with the port that was taken.
  virtual const std::string& address() const = 0;

  // What health answers for every name.
  virtual void SetServing(bool serving) = 0;

  // Not serving from now on; takes no new call, finishes those in flight within
  // `grace`, cancels the rest, and returns when all is quiet. Call once.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace rls

#endif  // RLS_RPC_RPC_SERVER_H_
