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
  // host:port or unix:PATH. Port 0: the system chooses.
  std::string address = "[::]:8081";
  int threads = 0;  // 0: one per core
  int max_request_bytes = 4 << 20;
  // Open connections, in total and for each peer (net/admission.h). Without
  // effect on the general transport, which accepts any number.
  size_t max_connections = 10'000;
  size_t max_connections_per_peer = 5'000;
  // Zero disables each of these four. The age varies randomly by a tenth, so
  // that connections do not all end at the same time.
  absl::Duration max_connection_age = absl::Hours(24);
  absl::Duration max_connection_age_grace = absl::Hours(1);
  absl::Duration keepalive_time = absl::Minutes(5);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  // Without a value: no TLS. New connections use files that have changed.
  std::optional<ServerTlsOptions> tls;
};

inline size_t ThreadsOf(const RpcServerOptions& options) {
  if (options.threads > 0) return static_cast<size_t>(options.threads);
  return std::max(1U, std::thread::hardware_concurrency());
}

// The maximum size of the headers of a call. gRPC's default of 8 KiB is too
// small for a gateway that forwards the tracing headers of its clients.
inline constexpr int kMaxMetadataBytes = 64 << 10;

// A transport: serves ShouldRateLimit, grpc.health.v1 (health.h) and server
// reflection on one port.
class RpcServer {
 public:
  // Like Shutdown(absl::ZeroDuration()).
  virtual ~RpcServer() = default;

  // The address of the options, with the port that the system chose.
  virtual const std::string& address() const = 0;

  // Sets the health status of every known name.
  virtual void SetServing(bool serving) = 0;

  // Sets the health status to not serving and accepts no new call. Calls in
  // flight may finish within `grace`; later they are cancelled. Returns after
  // the last call has ended. Call once.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace rls

#endif  // RLS_RPC_RPC_SERVER_H_
