#include "compare/empty_answer.h"

#include <cstdint>

namespace rls {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;

void WriteEmptyAnswer(const RateLimitRequest& request,
                      RateLimitResponse& response) {
  response.Clear();
  response.set_overall_code(RateLimitResponse::OK);
  for (int i = 0; i < request.descriptors_size(); ++i) {
    auto& status = *response.add_statuses();
    status.set_code(RateLimitResponse::OK);
    status.mutable_current_limit()->set_requests_per_unit(UINT32_MAX);
    status.mutable_current_limit()->set_unit(
        RateLimitResponse::RateLimit::HOUR);
    status.set_limit_remaining(UINT32_MAX - 1);
    status.mutable_duration_until_reset()->set_seconds(1800);
  }
}

}  // namespace rls
