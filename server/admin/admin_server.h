#ifndef RLS_ADMIN_ADMIN_SERVER_H_
#define RLS_ADMIN_ADMIN_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "admin/forward_auth_settings.h"
#include "metrics/metrics.h"
#include "rpc/handler.h"
#include "rules/rule_book.h"

namespace rls {

struct AdminOptions {
  std::string http_address = "[::]:8080";        // port 0 takes a free one
  std::string debug_address = "127.0.0.1:6070";  // loopback: it shows rules
  ForwardAuthSettings forward_auth;
};

struct AdminParts {
  RateLimitHandler& handler;
  RateLimitHandler& forward_auth_handler;  // whose answers carry headers
  Metrics& metrics;
  const RuleBookHolder& rules;
  // "" when requests are welcome, else one line that says what is missing.
  std::function<std::string()> not_ready;
};

// HTTP for people, probes and scrapers.
//
// HTTP port: /healthcheck (200 "OK", or 503 with the reason; also as /ready),
// /live (200 as long as the process answers), /metrics, POST /json (200, 429
// over limit, 400 for a bad body, 503 when the store cannot answer),
// /v1/forward-auth by any method (the same statuses; see forward_auth.h).
// Debug port: / lists the pages; /rlconfig shows one line per rule; POST
// /tiers/{user}/refresh as refresh_tier.h.
class AdminServer {
 public:
  virtual ~AdminServer() = default;  // stops both ports

  virtual const std::string& http_address() const = 0;
  virtual const std::string& debug_address() const = 0;
};

// Failure: UNAVAILABLE when an address cannot be had (it says which),
// INVALID_ARGUMENT (the descriptors of forward_auth).
absl::StatusOr<std::unique_ptr<AdminServer>> NewAdminServer(
    const AdminOptions& options, const AdminParts& parts);

}  // namespace rls

#endif  // RLS_ADMIN_ADMIN_SERVER_H_
