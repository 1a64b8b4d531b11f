#ifndef RLS_TIERS_HTTP_CLIENT_H_
#define RLS_TIERS_HTTP_CLIENT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "net/event_loop.h"

namespace rls {

struct HttpGet {
  std::string url;
  std::string header;   // "Name: value", may be secret; "": no header
  std::string ca_file;  // replaces the system's authorities; "": the system's
  absl::Duration timeout;
};

struct HttpResponse {
  int status = 0;
  std::string body;
};

// Sends GET requests over HTTP and HTTPS on an event loop, with libcurl, which
// keeps and reuses connections.
//
// A request goes to its URL and nowhere else: the client follows no redirect,
// speaks no other protocol and ignores the proxies of the environment. It
// verifies certificates and host names. The head and the body of a response
// have at most kMaxResponseBytes each.
//
// Threads: the loop's thread only. The destructor may also run while the loop
// does not run.
// Failure: DEADLINE_EXCEEDED (the timeout), RESOURCE_EXHAUSTED (the response is
// too large), UNAVAILABLE (any other failure, also an empty URL). No message
// contains the URL or the header.
class HttpClient {
 public:
  using ResponseCallback =
      absl::AnyInvocable<void(absl::StatusOr<HttpResponse>)>;

  virtual ~HttpClient() = default;  // pending requests fail with CANCELLED

  // `done` runs exactly once, on the loop, never within Get(). It may call
  // Get(), unless it gets CANCELLED.
  virtual void Get(const HttpGet& get, ResponseCallback done) = 0;
};

inline constexpr size_t kMaxResponseBytes = size_t{64} << 10;

// Lifetime: `loop` must outlive the client.
std::unique_ptr<HttpClient> NewHttpClient(EventLoop& loop);

}  // namespace rls

#endif  // RLS_TIERS_HTTP_CLIENT_H_
