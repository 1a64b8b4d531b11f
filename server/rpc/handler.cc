#include "rpc/handler.h"

#include <memory>
#include <utility>

#include "base/recycled.h"
#include "limiter/end_trace.h"
#include "limiter/query.h"
#include "rpc/read_query.h"

namespace rls {
namespace {

// The state of a request until the limiter answers, possibly on another thread.
struct Request : Recycled<Request> {
  Query query;
  RateLimitHandler::AnswerCallback done;
  std::unique_ptr<RequestTrace> trace;  // null: not traced
};

// As the instrumentation of gRPC for Go names it.
constexpr char kSpanName[] =
    "envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

// Lends `to` the memory of the previous answer of this thread, so that an
// answer needs no allocation. If that memory is already lent, `to` starts
// empty.
class LentString {
 public:
  explicit LentString(std::string& to) : to_(to) { to_.swap(Spare()); }
  ~LentString() {
    // Do not keep the memory of a large answer: most answers are small.
    constexpr size_t kKeptBytes = 16 << 10;
    if (to_.capacity() > kKeptBytes) return;
    to_.clear();
    to_.swap(Spare());
  }
  LentString(const LentString&) = delete;
  LentString& operator=(const LentString&) = delete;

 private:
  static std::string& Spare() {
    thread_local std::string spare;
    return spare;
  }

  std::string& to_;
};

}  // namespace

RateLimitHandler::RateLimitHandler(Limiter& limiter, const Clock& clock,
                                   AnswerSettings settings, Tracer* tracer)
    : limiter_(limiter),
      clock_(clock),
      settings_(std::move(settings)),
      tracer_(tracer) {}

void RateLimitHandler::ShouldRateLimit(absl::string_view request,
                                       absl::Time deadline, Caller* caller,
                                       AnswerCallback done,
                                       const TraceHeaders* trace) {
  if (clock_.Now() >= deadline) {
    done({.status = absl::DeadlineExceededError("the deadline has passed")});
    return;
  }
  auto waiting = std::make_unique<Request>();
  Query& query = waiting->query;
  query.deadline = deadline;
  query.caller = caller;
  if (tracer_ != nullptr) {
    waiting->trace = tracer_->Start(kSpanName, trace);
    query.trace = waiting->trace.get();
  }
  if (absl::Status read = ReadQuery(request, query); !read.ok()) {
    EndTrace(waiting->trace, query, read);
    done({.status = std::move(read)});
    return;
  }
  waiting->done = std::move(done);
  // The callback captures two pointers, which AnyInvocable stores without an
  // allocation.
  limiter_.Check(query, [this, waiting = std::move(waiting)](
                            absl::StatusOr<const Verdict*> verdict) {
    EndTrace(waiting->trace, waiting->query, verdict);
    if (!verdict.ok()) {
      waiting->done({.status = verdict.status()});
      return;
    }
    Answer answer;
    const LentString lent(answer.response);
    answer.over_limit = (*verdict)->over_limit;
    WriteVerdict(settings_, **verdict, answer.response);
    waiting->done(answer);
  });
}

RequestMetrics::RequestMetrics(Metrics& metrics)
    : seconds_(metrics.GetHistogram(
          {.name = "ratelimitd_request_seconds",
           .help = "From a request's arrival to its answer"},
          {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
           0.005, 0.01, 0.025, 0.1, 1, 10})),
      statistics_(metrics.statistics()) {
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
  if (statistics_ == nullptr) return;
  statistics_->CountResponse(took);
  if (code == absl::StatusCode::kInvalidArgument ||
      code == absl::StatusCode::kFailedPrecondition) {
    statistics_->Count(ServiceCount::kServiceError);
  } else if (code == absl::StatusCode::kUnavailable ||
             code == absl::StatusCode::kDeadlineExceeded) {
    statistics_->Count(ServiceCount::kRedisError);
  }
}

}  // namespace rls
