#ifndef RLS_RPC_HEALTH_WORDS_H_
#define RLS_RPC_HEALTH_WORDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// grpc.health.v1 for any transport. All names that are served have one status:
// "", "ratelimit" (envoyproxy/ratelimit's) and that of the rate limit service.
// Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md

enum class HealthStatus {  // as HealthCheckResponse.ServingStatus
  kServing = 1,
  kNotServing = 2,
  kServiceUnknown = 3,
};

HealthStatus HealthOf(absl::string_view service, bool serving);

// The service that a serialized HealthCheckRequest asks for.
// Failure: INVALID_ARGUMENT, when it is none.
absl::StatusOr<std::string> ReadHealthRequest(absl::string_view request);

// A serialized HealthCheckResponse.
std::string WriteHealthResponse(HealthStatus status);

}  // namespace rls

#endif  // RLS_RPC_HEALTH_WORDS_H_
