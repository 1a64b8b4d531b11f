#ifndef RLS_BENCH_COMPARE_EMPTY_ANSWER_H_
#define RLS_BENCH_COMPARE_EMPTY_ANSWER_H_

#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {

// The answer of a service that counts nothing: OK, with a status such as a
// real one would have for each descriptor. Replaces `response`.
void WriteEmptyAnswer(
    const envoy::service::ratelimit::v3::RateLimitRequest& request,
    envoy::service::ratelimit::v3::RateLimitResponse& response);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_EMPTY_ANSWER_H_
