#ifndef RLS_RPC_HANDLER_H_
#define RLS_RPC_HANDLER_H_

#include <array>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "rpc/write_verdict.h"
#include "trace/tracer.h"

namespace rls {

// ShouldRateLimit from bytes to bytes. The handler does not depend on the
// transport.
//
// Threads: ShouldRateLimit() may be called by many threads at once.
class RateLimitHandler {
 public:
  struct Answer {
    absl::Status status;
    std::string response;     // serialized RateLimitResponse, if status is OK
    bool over_limit = false;  // the overall code of the response
  };
  // The answer is valid only while the callback runs.
  using AnswerCallback = absl::AnyInvocable<void(const Answer&)>;

  // `tracer` may be null: then nothing is traced.
  // Lifetime: `limiter`, `clock` and `tracer` must outlive the handler.
  RateLimitHandler(Limiter& limiter, const Clock& clock,
                   AnswerSettings settings, Tracer* tracer = nullptr);
  RateLimitHandler(const RateLimitHandler&) = delete;
  RateLimitHandler& operator=(const RateLimitHandler&) = delete;

  // `request` is a serialized RateLimitRequest. Its strings may hold any bytes,
  // because gateways send header values unchanged. If `caller` is null, the
  // request is never held. `trace` holds the trace headers of the request, or
  // is null.
  //
  // Threads: `done` may run on any thread, even before this function returns.
  // Lifetime: `request` and `caller` must live until `done` has run, `trace`
  // until this function returns.
  // Failure: INVALID_ARGUMENT (the text names the field), DEADLINE_EXCEEDED (a
  // request that arrives after its deadline is not charged), and the codes of
  // the limiter.
  void ShouldRateLimit(absl::string_view request, absl::Time deadline,
                       Caller* caller, AnswerCallback done,
                       const TraceHeaders* trace = nullptr);

  // False: the transport need not read trace headers.
  bool traces() const { return tracer_ != nullptr; }

 private:
  Limiter& limiter_;
  const Clock& clock_;
  const AnswerSettings settings_;
  Tracer* const tracer_;
};

// Counts ShouldRateLimit calls and measures their duration, for every
// transport.
//
// Threads: Count() may be called by many threads at once.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics);

  void Count(absl::StatusCode code, absl::Duration took);

 private:
  std::array<Counter*, 17> requests_by_code_;  // the index is the code's number
  Histogram& seconds_;
  Statistics* const statistics_;  // null: they are off
};

}  // namespace rls

#endif  // RLS_RPC_HANDLER_H_
