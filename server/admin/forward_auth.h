#ifndef RLS_ADMIN_FORWARD_AUTH_H_
#define RLS_ADMIN_FORWARD_AUTH_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "admin/forward_auth_settings.h"
#include "rpc/handler.h"
#include "rpc/plain.h"

namespace rls {

// Decides for gateways that ask by a sub-request with the client's headers:
// nginx's auth_request, Caddy's forward_auth, Traefik's forwardAuth and others.
//
// What a header says is believed. Whether a client can write it is the
// gateway's to see to: docs/GATEWAYS.md.
//
// Threads: Decide() may be called by many threads at once, and waits.
class ForwardAuth {
 public:
  // The value of a header in any case, of several of one name all of them,
  // parted by commas; "" when there is none.
  using HeaderReader = std::function<std::string(const std::string& name)>;

  struct Answer {
    bool over_limit = false;
    std::vector<PlainHeader> headers;
    std::string body;
  };

  // Failure: INVALID_ARGUMENT (the descriptors). `handler` must outlive it; its
  // answers should carry headers, as no other place tells of the limit.
  static absl::StatusOr<ForwardAuth> Make(ForwardAuthSettings settings,
                                          RateLimitHandler& handler);

  // Failure: the handler's codes.
  // `body_as_header` puts a refusal's body into the header RateLimit-Body too,
  // for gateways that drop the body of a sub-request.
  absl::StatusOr<Answer> Decide(const HeaderReader& read,
                                bool body_as_header) const;

 private:
  ForwardAuth(ForwardAuthSettings settings,
              std::vector<std::vector<HeaderEntry>> descriptors,
              RateLimitHandler& handler);

  std::string RequestOf(const HeaderReader& read) const;

  ForwardAuthSettings settings_;
  std::vector<std::vector<HeaderEntry>> descriptors_;
  RateLimitHandler* handler_;
};

}  // namespace rls

#endif  // RLS_ADMIN_FORWARD_AUTH_H_
