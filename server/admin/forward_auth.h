#ifndef RLS_ADMIN_FORWARD_AUTH_H_
#define RLS_ADMIN_FORWARD_AUTH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "http/http_handler.h"
#include "limiter/limiter.h"
#include "rpc/write_verdict.h"
#include "trace/tracer.h"

namespace rls {

// One entry of a descriptor. Its value is the value of the first of `headers`
// that is present and not empty.
struct HeaderEntry {
  std::string key;
  std::vector<std::string> headers;
};
using HeaderDescriptors = std::vector<std::vector<HeaderEntry>>;

// The default of FORWARD_AUTH_DESCRIPTORS: the keys that the configuration
// formats use by default to identify a user. The address is the last entry: it
// distinguishes users without a name.
inline constexpr char kDefaultHeaderDescriptors[] =
    "user_id=X-User-ID,authorization=Authorization,api_key=X-API-Key,"
    "model=X-Model,remote_address=X-Forwarded-For|X-Real-IP";

// How /v1/forward-auth makes a query of the headers of a request.
struct ForwardAuthSettings {
  std::string domain = "default";                       // FORWARD_AUTH_DOMAIN
  std::string descriptors = kDefaultHeaderDescriptors;  // ..._DESCRIPTORS
  // FORWARD_AUTH_TIMEOUT. After this time the answer is 503. The query "wait"
  // of a request replaces it.
  absl::Duration timeout = absl::Seconds(5);
};

// Reads "key=Header|OtherHeader,key=Header;key=Header". A semicolon separates
// descriptors, a comma separates entries, and | separates the headers of an
// entry, in order of preference.
//
// Failure: INVALID_ARGUMENT. The text quotes the entry that is wrong.
absl::StatusOr<HeaderDescriptors> ParseHeaderDescriptors(
    absl::string_view text);

// Checks the requests of gateways that send a sub-request with the headers of
// the client: nginx's auth_request, Caddy's forward_auth, Traefik's forwardAuth
// and others.
//
// The server trusts these headers. The gateway must remove or overwrite every
// header that clients must not set themselves (docs/GATEWAYS.md).
//
// With the query "wait=DURATION" the gateway says how long it waits. Only then
// a request over a limit that queues is held until its slot comes: a gateway
// that gave up first would let the request pass.
//
// Threads: Decide() may be called by many threads at once.
class ForwardAuth {
 public:
  // Always shows the limit in headers, even if answers.headers is false: the
  // answer has no other place for the limit.
  // `tracer` may be null: then nothing is traced.
  // Lifetime: `limiter`, `clock` and `tracer` must outlive the result.
  // Failure: INVALID_ARGUMENT (settings.descriptors).
  static absl::StatusOr<ForwardAuth> Make(ForwardAuthSettings settings,
                                          AnswerSettings answers,
                                          Limiter& limiter, const Clock& clock,
                                          Tracer* tracer = nullptr);

  // Answers 200, 429 over the limit, 400 (a bad request), or 503. With
  // the query "body=header" the body of a refusal is also in the header
  // RateLimit-Body, for gateways that drop the body of a sub-request.
  // Lifetime: this object must live until the answer.
  void Decide(const HttpRequest& request, HttpReply reply) const;

 private:
  ForwardAuth(ForwardAuthSettings settings, AnswerSettings answers,
              HeaderDescriptors descriptors, Limiter& limiter,
              const Clock& clock, Tracer* tracer);

  struct Call;
  absl::Status ReadOptions(absl::string_view query, Call& call) const;
  void Answer(Call& call, const Verdict& verdict) const;

  ForwardAuthSettings settings_;
  AnswerSettings answers_;
  HeaderDescriptors descriptors_;
  Limiter* limiter_;
  const Clock* clock_;
  Tracer* tracer_;
};

}  // namespace rls

#endif  // RLS_ADMIN_FORWARD_AUTH_H_
