#ifndef RLS_RPC_JSON_H_
#define RLS_RPC_JSON_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "rpc/write_verdict.h"

namespace envoy::service::ratelimit::v3 {
class RateLimitRequest;
class RateLimitResponse;
}  // namespace envoy::service::ratelimit::v3

namespace rls {

// Requests and answers in protobuf's JSON mapping of Envoy's messages. The
// classes hide the messages, so no protobuf type leaves this module.
//
// Source: https://protobuf.dev/programming-guides/json/

// A RateLimitRequest in JSON. Owns the strings that its query views.
class JsonRequest {
 public:
  JsonRequest();
  ~JsonRequest();
  JsonRequest(const JsonRequest&) = delete;
  JsonRequest& operator=(const JsonRequest&) = delete;

  // Reads and checks `json`. Call once.
  // Failure: INVALID_ARGUMENT, also for an unknown field.
  absl::Status Read(absl::string_view json);

  // Lifetime: views this object.
  Query& query() { return query_; }

 private:
  absl::Status ReadMessage();

  const std::unique_ptr<envoy::service::ratelimit::v3::RateLimitRequest>
      message_;
  Query query_;
};

// A RateLimitResponse in JSON. Set() is cheap and copies the verdict; Text()
// is slow and can run later, on a thread that serves no other requests.
class JsonResponse {
 public:
  JsonResponse();
  ~JsonResponse();
  JsonResponse(const JsonResponse&) = delete;
  JsonResponse& operator=(const JsonResponse&) = delete;

  void Set(const AnswerSettings& settings, const Verdict& verdict);

  // Fields with their default value are left out.
  // Failure: INTERNAL, if a string of the answer is not UTF-8.
  absl::StatusOr<std::string> Text() const;

 private:
  const std::unique_ptr<envoy::service::ratelimit::v3::RateLimitResponse>
      message_;
};

}  // namespace rls

#endif  // RLS_RPC_JSON_H_
