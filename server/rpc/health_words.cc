#include "rpc/health_words.h"

#include "grpc/health/v1/health.pb.h"

namespace rls {

HealthStatus HealthOf(absl::string_view service, bool serving) {
  if (!service.empty() && service != "ratelimit" &&
      service != "envoy.service.ratelimit.v3.RateLimitService") {
    return HealthStatus::kServiceUnknown;
  }
  return serving ? HealthStatus::kServing : HealthStatus::kNotServing;
}

absl::StatusOr<std::string> ReadHealthRequest(absl::string_view request) {
  grpc::health::v1::HealthCheckRequest message;
  if (!message.ParseFromArray(request.data(),
                              static_cast<int>(request.size()))) {
    return absl::InvalidArgumentError("not a HealthCheckRequest");
  }
  return message.service();
}

std::string WriteHealthResponse(HealthStatus status) {
  grpc::health::v1::HealthCheckResponse message;
  message.set_status(
      static_cast<grpc::health::v1::HealthCheckResponse::ServingStatus>(
          status));
  return message.SerializeAsString();
}

}  // namespace rls
