#ifndef RLS_TIERS_HTTP_CLIENT_H_
#define RLS_TIERS_HTTP_CLIENT_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "net/event_loop.h"

namespace rls {

struct HttpGet {
  std::string url;
  std::string header;   // "Name: value", may be secret; "" for none
  std::string ca_file;  // trusted instead of the system's; "" for these
  absl::Duration timeout;
};

struct HttpReply {
  int status = 0;
  std::string body;
};

// GET over HTTP and HTTPS, on an event loop; over libcurl, which keeps and
// reuses connections.
//
// Nothing leads elsewhere than to the URL: no redirect is followed, no other
// protocol spoken, no proxy of the environment used. Certificates and host
// names are verified. A reply is at most kMaxReplyBytes, its head as well.
//
// Threads: the loop's only; the destructor also when the loop does not run.
// Failure: DEADLINE_EXCEEDED (the timeout), RESOURCE_EXHAUSTED (the reply is
// too large), UNAVAILABLE (all else, an empty URL too). No message holds the
// URL or the header.
class HttpClient {
 public:
  using ReplyCallback = absl::AnyInvocable<void(absl::StatusOr<HttpReply>)>;

  virtual ~HttpClient() = default;  // fails what is under way: CANCELLED

  // `done` runs exactly once, on the loop, never within Get(). It may call
  // Get(), but not when it is told CANCELLED.
  virtual void Get(const HttpGet& get, ReplyCallback done) = 0;
};

inline constexpr size_t kMaxReplyBytes = size_t{64} << 10;

// `loop` must outlive the client.
std::unique_ptr<HttpClient> NewHttpClient(EventLoop& loop);

}  // namespace rls

#endif  // RLS_TIERS_HTTP_CLIENT_H_
