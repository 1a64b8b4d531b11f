#include "compare/empty_service.h"

#include <cstdint>
#include <cstdio>

#include "absl/strings/numbers.h"

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

std::optional<EmptyArguments> ReadEmptyArguments(int argc, char** argv) {
  EmptyArguments arguments;
  if (argc < 2 || argc > 3 || !absl::SimpleAtoi(argv[1], &arguments.port) ||
      (argc == 3 && !absl::SimpleAtoi(argv[2], &arguments.threads)) ||
      arguments.threads < 1) {
    std::fprintf(stderr, "usage: %s PORT [THREADS]\n", argv[0]);
    return std::nullopt;
  }
  return arguments;
}

}  // namespace rls
