#include "rpc/health.h"

#include <iterator>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "grpc/health/v1/health.pb.h"

namespace rls {
namespace {

using grpc::health::v1::HealthCheckResponse;

constexpr absl::string_view kNames[] = {
    "", "ratelimit", "envoy.service.ratelimit.v3.RateLimitService"};

HealthCheckResponse ResponseOf(HealthStatus status) {
  HealthCheckResponse response;
  response.set_status(static_cast<HealthCheckResponse::ServingStatus>(status));
  return response;
}

}  // namespace

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

std::string Health::List() const {
  grpc::health::v1::HealthListResponse list;
  for (const absl::string_view name : kNames) {
    (*list.mutable_statuses())[std::string(name)] = ResponseOf(StatusOf(name));
  }
  return list.SerializeAsString();
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
  if (absl::c_find(kNames, service) == std::end(kNames)) {
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
  return ResponseOf(status).SerializeAsString();
}

}  // namespace rls
