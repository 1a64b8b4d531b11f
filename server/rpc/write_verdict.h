#ifndef RLS_RPC_WRITE_VERDICT_H_
#define RLS_RPC_WRITE_VERDICT_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "limiter/verdict.h"

namespace envoy::service::ratelimit::v3 {
class RateLimitResponse;
}

namespace rls {

// Verdicts in the form of Envoy's RateLimitResponse, and as HTTP headers and a
// body for gateways that do not speak gRPC.
//
// Threads: every function may be called by many threads at once.

// The optional contents of an answer.
struct AnswerSettings {
  bool headers = false;  // LIMIT_RESPONSE_HEADERS_ENABLED
  std::string limit_header = "RateLimit-Limit";
  std::string remaining_header = "RateLimit-Remaining";
  std::string reset_header = "RateLimit-Reset";
  bool dynamic_metadata = false;  // RESPONSE_DYNAMIC_METADATA
};

// Appends a serialized RateLimitResponse to `bytes`.
void WriteVerdict(const AnswerSettings& settings, const Verdict& verdict,
                  std::string& bytes);

// The same answer as a message. Slower; for the JSON mapping.
void WriteVerdict(const AnswerSettings& settings, const Verdict& verdict,
                  envoy::service::ratelimit::v3::RateLimitResponse& message);

using HeaderSink =
    absl::FunctionRef<void(absl::string_view name, absl::string_view value)>;

// Calls `add` for each header of the response to the client: the limit's
// numbers (if settings.headers is true) and the type of the body.
void AddClientHeaders(const AnswerSettings& settings, const Verdict& verdict,
                      HeaderSink add);

// Calls `add` for each header of the request to the upstream: the flag and the
// cheaper model of a degraded request.
void AddUpstreamHeaders(const Verdict& verdict, HeaderSink add);

// The JSON body of a refusal: {"status": 429, "message": "..."}. Empty if the
// request is allowed or its rule has no message.
// Lifetime: valid until the next call on this thread.
absl::string_view RefusalBody(const Verdict& verdict);

// A limit override as the text of its message.
std::string OverrideText(const Policy& policy);

// True if neither the name nor the value can end an HTTP header early: they
// contain no CR, LF or NUL. Envoy forwards such bytes unchanged.
bool IsSafeHeader(absl::string_view name, absl::string_view value);

}  // namespace rls

#endif  // RLS_RPC_WRITE_VERDICT_H_
