#ifndef RLS_TRACE_SPAN_SENDER_H_
#define RLS_TRACE_SPAN_SENDER_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "metrics/metrics.h"
#include "trace/otlp_message.h"
#include "trace/span.h"
#include "trace/span_exporter.h"

namespace rls {

// Spans that have ended and wait for the collector, and the thread that sends
// them. A collector that is slow or away costs spans, never requests: Add()
// does not wait, and drops the span if the queue is full.
//
// Threads: every method may be called by many threads at once.
class SpanSender {
 public:
  struct Options {
    ResourceAttributes resource;
    size_t max_queue = 0;
    size_t max_batch = 0;
    absl::Duration max_delay;
  };
  // A batch that the collector could not take is sent again, after
  // kFirstRetryDelay, twice that, and so on. After kMaxAttempts it is dropped.
  static constexpr int kMaxAttempts = 4;
  static constexpr absl::Duration kFirstRetryDelay = absl::Seconds(1);

  // Lifetime: `clock` and `metrics` must outlive the sender.
  SpanSender(Options options, std::unique_ptr<SpanExporter> exporter,
             const Clock& clock, Metrics& metrics);
  ~SpanSender();  // like Stop(absl::ZeroDuration())
  SpanSender(const SpanSender&) = delete;
  SpanSender& operator=(const SpanSender&) = delete;

  void Add(Span span);

  // See Tracer::Stop().
  void Stop(absl::Duration most);

 private:
  void Run();
  // Waits for a batch. Empty: the thread must end.
  std::vector<Span> Next();
  void Send(const std::vector<Span>& batch);
  // False: the sender stops.
  bool WaitToRetry(absl::Duration delay);
  void Drop(Counter& counter, size_t spans, absl::string_view reason);

  const Options options_;
  const std::unique_ptr<SpanExporter> exporter_;
  Counter& sent_;
  Counter& dropped_in_queue_;
  Counter& dropped_unsent_;
  LogThrottle log_;

  std::mutex mutex_;  // guards the members below, except thread_
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<Span> queue_;
  bool stopping_ = false;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace rls

#endif  // RLS_TRACE_SPAN_SENDER_H_
