#ifndef RLS_RPC_HEALTH_H_
#define RLS_RPC_HEALTH_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// The values of HealthCheckResponse.ServingStatus.
enum class HealthStatus {
  kServing = 1,
  kNotServing = 2,
  kServiceUnknown = 3,
};

// The answers of grpc.health.v1, for any transport. The service names "" (the
// whole server), "ratelimit" (the name that envoyproxy/ratelimit serves) and
// the name of the rate limit service have the same status.
//
// Threads: one at a time.
// Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
class Health {
 public:
  // Default: not serving.
  void SetServing(bool serving) { serving_ = serving; }
  // Not serving, and every Watch ends.
  void Stop();

  // The answer to Check. Failure: NOT_FOUND (the service is unknown).
  absl::StatusOr<HealthStatus> Check(absl::string_view service) const;

  // The answer to List: a serialized HealthListResponse with every known name.
  std::string List() const;

  // One Watch call.
  struct Watch {
    std::string service;
    std::optional<HealthStatus> sent;  // the last status sent, if any
  };
  // The status that the watch must send now, or nullopt if the client has the
  // current status. Records the status as sent.
  // Failure: UNAVAILABLE. The watch must end with this error.
  absl::StatusOr<std::optional<HealthStatus>> Next(Watch& watch) const;

 private:
  HealthStatus StatusOf(absl::string_view service) const;

  bool serving_ = false;
  bool stopped_ = false;
};

// Reads the service name of a serialized HealthCheckRequest.
// Failure: INVALID_ARGUMENT (the bytes are not a HealthCheckRequest).
absl::StatusOr<std::string> ReadHealthRequest(absl::string_view request);

// Returns a serialized HealthCheckResponse.
std::string WriteHealthResponse(HealthStatus status);

}  // namespace rls

#endif  // RLS_RPC_HEALTH_H_
