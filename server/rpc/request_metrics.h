#ifndef RLS_RPC_REQUEST_METRICS_H_
#define RLS_RPC_REQUEST_METRICS_H_

#include <array>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "metrics/metrics.h"

namespace rls {

// What every transport counts of ShouldRateLimit calls.
//
// Threads: Count() may be called by many threads at once.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics);

  void Count(absl::StatusCode code, absl::Duration took);

 private:
  std::array<Counter*, 17> requests_by_code_;  // by the number of the code
  Histogram& seconds_;
};

}  // namespace rls

#endif  // RLS_RPC_REQUEST_METRICS_H_
