#include "rpc/request_metrics.h"

namespace rls {

RequestMetrics::RequestMetrics(Metrics& metrics)
    : seconds_(metrics.GetHistogram(
          {.name = "ratelimitd_request_seconds",
           .help = "From a request's arrival to its answer"},
          {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
           0.005, 0.01, 0.025, 0.1, 1, 10})) {
  for (size_t code = 0; code < requests_by_code_.size(); ++code) {
    requests_by_code_[code] = &metrics.GetCounter(
        {.name = "ratelimitd_requests_total",
         .help = "ShouldRateLimit calls by the gRPC code of the answer",
         .labels = {{"grpc_code", absl::StatusCodeToString(
                                      static_cast<absl::StatusCode>(code))}}});
  }
}

void RequestMetrics::Count(absl::StatusCode code, absl::Duration took) {
  requests_by_code_[static_cast<size_t>(code)]->Add(1);
  seconds_.Observe(absl::ToDoubleSeconds(took));
}

}  // namespace rls
