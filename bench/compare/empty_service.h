#ifndef RLS_BENCH_COMPARE_EMPTY_SERVICE_H_
#define RLS_BENCH_COMPARE_EMPTY_SERVICE_H_

#include <optional>

#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {

// Replaces `response` by the answer of a service that counts nothing: OK, with
// a realistic status for each descriptor.
void WriteEmptyAnswer(
    const envoy::service::ratelimit::v3::RateLimitRequest& request,
    envoy::service::ratelimit::v3::RateLimitResponse& response);

// The command line of a service that counts nothing: PROGRAM PORT [THREADS].
struct EmptyArguments {
  int port = 0;
  int threads = 1;
};

// Prints the usage and returns nullopt if the arguments are invalid.
std::optional<EmptyArguments> ReadEmptyArguments(int argc, char** argv);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_EMPTY_SERVICE_H_
