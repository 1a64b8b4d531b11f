#ifndef RLS_LIMITER_END_TRACE_H_
#define RLS_LIMITER_END_TRACE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "trace/tracer.h"

namespace rls {

// Ends the trace of a request with its answer, if the request is traced. Call
// it before the answer is sent, so that no span is left when the server has
// answered all requests.
//
// Secrets: the span has no keys or values of descriptors, and no text of an
// error, which could quote one.
void DescribeAndEnd(std::unique_ptr<RequestTrace>& trace, const Query& query,
                    const absl::StatusOr<const Verdict*>& verdict);

inline void EndTrace(std::unique_ptr<RequestTrace>& trace, const Query& query,
                     const absl::StatusOr<const Verdict*>& verdict) {
  if (trace != nullptr) DescribeAndEnd(trace, query, verdict);
}

}  // namespace rls

#endif  // RLS_LIMITER_END_TRACE_H_
