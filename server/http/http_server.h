#ifndef RLS_HTTP_HTTP_SERVER_H_
#define RLS_HTTP_HTTP_SERVER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "http/http_bounds.h"
#include "http/http_handler.h"
#include "metrics/metrics.h"
#include "net/admission.h"
#include "net/event_loop.h"
#include "net/tls.h"

namespace rls {

struct HttpServerOptions {
  std::string name;     // of the port, for metrics and logs
  std::string address;  // HOST:PORT; port 0: the system chooses
  size_t max_connections = kMaxHttpConnections;
  size_t max_connections_of_peer = kMaxHttpConnectionsOfPeer;
  // At most this share of the descriptors of the process (net/admission.h).
  size_t descriptor_percent = kHttpDescriptorPercent;
  // Without a value: no TLS. New connections use files that have changed.
  std::optional<ServerTlsOptions> tls = std::nullopt;
};

// A port that serves HTTP/1.1 and HTTP/1.0 on event loops. http_bounds.h lists
// its bounds, http_parser.h the requests that it refuses.
//
// Not offered, on purpose: ranges, compression, multipart bodies, trailers,
// tunnels (CONNECT) and Upgrade.
class HttpServer {
 public:
  virtual ~HttpServer() = default;  // like Shutdown(absl::ZeroDuration())

  // The address of the options, with the port that the system chose.
  virtual const std::string& address() const = 0;

  // Closes idle connections, and each other one after its next answer. New
  // connections are still served, one request each: health must be visible.
  virtual void Drain() = 0;

  // Stops to listen. Requests in flight may finish within `grace`; later their
  // connections are closed. Returns after the last request has ended. Call
  // once.
  virtual void Shutdown(absl::Duration grace) = 0;
};

// Lifetime: the loops must run, and all arguments must outlive the server.
// Failure: UNAVAILABLE with the address and the reason, INVALID_ARGUMENT
// (a file of options.tls).
absl::StatusOr<std::unique_ptr<HttpServer>> NewHttpServer(
    LoopThreads& loops, const HttpServerOptions& options, HttpHandler& handler,
    const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_HTTP_HTTP_SERVER_H_
