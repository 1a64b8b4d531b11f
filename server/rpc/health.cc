#include "rpc/health.h"

#include "absl/status/status.h"
#include "grpc/health/v1/health.pb.h"

namespace rls {

void Health::Stop() {
  serving_ = false;
  stopped_ = true;
}

absl::StatusOr<HealthStatus> Health::Check(absl::string_view service) const {
  const HealthStatus status = StatusOf(service);
  if (status == HealthStatus::kServiceUnknown) {
    return absl::NotFoundError("unknown service");
  }
  return status;
}

absl::StatusOr<std::optional<HealthStatus>> Health::Next(Watch& watch) const {
  const HealthStatus status = StatusOf(watch.service);
  if (watch.sent != status) {
    watch.sent = status;
    return watch.sent;
  }
  if (stopped_) return absl::UnavailableError("shutting down");
  return std::nullopt;
}

HealthStatus Health::StatusOf(absl::string_view service) const {
  if (!service.empty() && service != "ratelimit" &&
      service != "envoy.service.ratelimit.v3.RateLimitService") {
    return HealthStatus::kServiceUnknown;
  }
  return serving_ ? HealthStatus::kServing : HealthStatus::kNotServing;
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
