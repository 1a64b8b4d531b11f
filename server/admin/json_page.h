#ifndef RLS_ADMIN_JSON_PAGE_H_
#define RLS_ADMIN_JSON_PAGE_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "http/http_handler.h"
#include "limiter/limiter.h"
#include "net/event_loop.h"
#include "rpc/write_verdict.h"
#include "trace/tracer.h"

namespace rls {

// POST /json: a RateLimitRequest in JSON, and its RateLimitResponse. JSON takes
// up to 0.1 microseconds per byte, so large requests are read and answered on
// another loop.
//
// Threads: Answer() may be called by many threads at once.
// Lifetime: the dependencies must outlive the page, the page its requests, and
// `worker` must run until then.
class JsonPage {
 public:
  // Larger requests go to the worker.
  static constexpr size_t kMaxQuickBytes = 4 << 10;
  // Large requests at the same time. A further one is answered 503.
  static constexpr int kMaxLarge = 16;
  // The deadline of a request. A request that queues is held no longer.
  static constexpr absl::Duration kTimeout = absl::Seconds(5);

  struct Dependencies {
    Limiter& limiter;
    const Clock& clock;
    AnswerSettings answers;
    EventLoop& worker;
    Tracer* tracer = nullptr;  // null: nothing is traced
  };
  explicit JsonPage(Dependencies dependencies);
  JsonPage(const JsonPage&) = delete;
  JsonPage& operator=(const JsonPage&) = delete;

  void Answer(const HttpRequest& request, HttpReply reply);

 private:
  struct Call;

  void Decide(std::unique_ptr<Call> call, absl::string_view body);
  void OnVerdict(std::unique_ptr<Call> call,
                 const absl::StatusOr<const Verdict*>& verdict);
  void Write(Call& call);

  const Dependencies dependencies_;
  // The large requests now. Shared, because a request ends after its answer.
  const std::shared_ptr<std::atomic<int>> large_;
};

}  // namespace rls

#endif  // RLS_ADMIN_JSON_PAGE_H_
