#ifndef RLS_TRACE_TRACER_H_
#define RLS_TRACE_TRACER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "trace/otlp_options.h"
#include "trace/span.h"
#include "trace/trace_context.h"

namespace rls {

class SpanExporter;

struct TracerOptions {
  OtlpOptions otlp;
  // The attributes of this process, such as service.name.
  std::vector<std::pair<std::string, std::string>> resource;
  // The share of the requests that are traced, 0 to 1. Requests of a caller
  // that says whether its trace is recorded do as the caller says.
  double sampling_rate = 1;
  TraceFormats formats;
  // Spans that wait to be sent. Further ones are dropped.
  size_t max_queue = 2'048;
  // Spans are sent when there are this many, or when the first one has waited
  // for max_delay.
  size_t max_batch = 512;
  absl::Duration max_delay = absl::Seconds(5);
};

class RequestTrace;

// Decides which requests are traced, and sends their spans to a collector.
//
// Threads: every method may be called by many threads at once.
// Lifetime: must outlive its request traces.
class Tracer {
 public:
  virtual ~Tracer() = default;

  // Begins the span of a request, a child of the span in `headers`. `headers`
  // may be null. `name` is of static lifetime. Null: the request is not traced.
  virtual std::unique_ptr<RequestTrace> Start(absl::string_view name,
                                              const TraceHeaders* headers) = 0;

  // Sends the spans that wait, for at most `most`, which is finite, and drops
  // the others. Later spans are dropped.
  virtual void Stop(absl::Duration most) = 0;

 private:
  friend class RequestTrace;
  virtual absl::Time Now() const = 0;
  virtual void Finish(Span span) = 0;
};

// The trace of one request: its span and the spans of its parts. The span ends
// with this object.
//
// Threads: one thread at a time. The owner may pass it to another thread.
class RequestTrace {
 public:
  RequestTrace(Tracer& tracer, Span span)
      : tracer_(tracer), span_(std::move(span)) {}
  ~RequestTrace();
  RequestTrace(const RequestTrace&) = delete;
  RequestTrace& operator=(const RequestTrace&) = delete;

  // Adds an attribute. `key` is of static lifetime. A text is cut to
  // kMaxTextBytes.
  static constexpr size_t kMaxTextBytes = 256;
  void Add(absl::string_view key, int64_t value);
  void Add(absl::string_view key, absl::string_view value);
  // The request failed.
  void Fail(absl::string_view error);

  // Begins the span of a part. `name` is of static lifetime. The next call of
  // EndPart() ends it.
  void BeginPart(absl::string_view name, absl::string_view key, int64_t value);
  // Without effect if no part has begun. `error` is "" if the part succeeded.
  void EndPart(absl::string_view error);

 private:
  Tracer& tracer_;
  Span span_;
  std::optional<Span> part_;
};

// Failure: INVALID_ARGUMENT (a file of TLS cannot be read). An unreachable
// collector is no failure.
// Lifetime: `clock` and `metrics` must outlive the tracer.
absl::StatusOr<std::unique_ptr<Tracer>> NewTracer(TracerOptions options,
                                                  const Clock& clock,
                                                  Metrics& metrics);

// For tests: with this exporter.
std::unique_ptr<Tracer> NewTracer(TracerOptions options,
                                  std::unique_ptr<SpanExporter> exporter,
                                  const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_TRACE_TRACER_H_
