#ifndef RLS_ADMIN_ADMIN_SERVER_H_
#define RLS_ADMIN_ADMIN_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/forward_auth.h"
#include "base/clock.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "net/tls.h"
#include "rpc/write_verdict.h"
#include "rules/rule_book.h"
#include "trace/tracer.h"

namespace rls {

// The port for the statistics of envoyproxy/ratelimit.
struct PrometheusOptions {
  std::string address = "[::]:9090";
  std::string path = "/metrics";
  // The response time (metrics/statistics_text.h). False: in seconds.
  bool in_milliseconds = false;
};

struct AdminOptions {
  std::string http_address = "[::]:8080";  // port 0: the system chooses
  // The debug pages show the rules. Default: this machine only.
  std::string debug_address = "127.0.0.1:6070";
  ForwardAuthSettings forward_auth;
  // Of the HTTP port. Without a value: no TLS.
  std::optional<ServerTlsOptions> tls = std::nullopt;
  // Without a value: no such port. With one, the metrics must have statistics.
  std::optional<PrometheusOptions> prometheus = std::nullopt;
};

// The references must outlive the server.
struct AdminDependencies {
  LoopThreads& loops;  // run until the server is destroyed
  Limiter& limiter;
  const Clock& clock;
  Metrics& metrics;
  const RuleBookHolder& rules;
  AnswerSettings answers;  // of /json, and the header names of /v1/forward-auth
  // Returns "" if the process is ready, else the reason in one line.
  std::function<std::string()> not_ready;
  // Returns "" if the store of the counters can be used, else the reason in one
  // line. The process is ready nevertheless: the rules say how to decide.
  std::function<std::string()> store_state = [] { return std::string(); };
  Tracer* tracer = nullptr;  // null: nothing is traced
};

// HTTP for people, probes and scrapers, and for gateways that do not speak
// gRPC.
//
// HTTP port:
//   /healthcheck           200 "OK", or 503 with the reason
//   /ready                 the same; a second line has the reason for which the
//                          store of the counters cannot be used, if there is
//                          one
//   /live                  200 while the process runs
//   /metrics               the metrics in Prometheus's text format
//   POST /json             a RateLimitRequest in JSON: 200, 429 over the limit,
//                          400 for a bad body, 503 if the store cannot answer
//                          (json_page.h)
//   /v1/forward-auth       any method, the same statuses (forward_auth.h)
// Debug port:
//   /                      a list of these pages
//   /config                see config_page.h
//   /rlconfig, POST /tiers/{user}/refresh   see debug_pages.h
//   /stats                 the statistics of envoyproxy/ratelimit
// Prometheus port, if there is one:
//   its path               these statistics, the process, and all of /metrics
// GET also means HEAD.
class AdminServer {
 public:
  virtual ~AdminServer() = default;  // like Shutdown(absl::ZeroDuration())

  virtual const std::string& http_address() const = 0;
  virtual const std::string& debug_address() const = 0;
  // "": there is no such port.
  virtual std::string prometheus_address() const = 0;

  // As the methods of HttpServer, for all ports.
  virtual void Drain() = 0;
  virtual void Shutdown(absl::Duration grace) = 0;
};

// Failure: UNAVAILABLE (cannot listen; the text names the address),
// INVALID_ARGUMENT (options.forward_auth.descriptors).
absl::StatusOr<std::unique_ptr<AdminServer>> NewAdminServer(
    const AdminOptions& options, const AdminDependencies& dependencies);

}  // namespace rls

#endif  // RLS_ADMIN_ADMIN_SERVER_H_
