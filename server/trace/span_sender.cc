#include "trace/span_sender.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

Counter& DroppedCounter(Metrics& metrics, const char* reason) {
  return metrics.GetCounter({.name = "ratelimitd_trace_spans_dropped_total",
                             .help = "Spans that did not reach the collector",
                             .labels = {{"reason", reason}}});
}

}  // namespace

SpanSender::SpanSender(Options options, std::unique_ptr<SpanExporter> exporter,
                       const Clock& clock, Metrics& metrics)
    : options_(std::move(options)),
      exporter_(std::move(exporter)),
      sent_(metrics.GetCounter({.name = "ratelimitd_trace_spans_sent_total",
                                .help = "Spans that the collector took"})),
      dropped_in_queue_(DroppedCounter(metrics, "queue_full")),
      dropped_unsent_(DroppedCounter(metrics, "not_sent")),
      log_(clock, absl::Minutes(1)),
      thread_([this] { Run(); }) {}

SpanSender::~SpanSender() {
  Stop(absl::ZeroDuration());
  thread_.join();
}

void SpanSender::Add(Span span) {
  bool is_full = false;
  bool is_due = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_full = stopping_ || queue_.size() >= options_.max_queue;
    if (!is_full) queue_.push_back(std::move(span));
    // The first span starts the delay of a batch.
    is_due = queue_.size() == 1 || queue_.size() == options_.max_batch;
  }
  if (is_full) {
    Drop(dropped_in_queue_, 1, "too many spans wait for the collector");
  } else if (is_due) {
    wake_.notify_one();
  }
}

void SpanSender::Stop(absl::Duration most) {
  std::unique_lock<std::mutex> lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  if (ended_.wait_for(lock, absl::ToChronoNanoseconds(most),
                      [this] { return has_ended_; })) {
    return;
  }
  lock.unlock();
  exporter_->Cancel();
}

void SpanSender::Run() {
  for (std::vector<Span> batch = Next(); !batch.empty(); batch = Next()) {
    Send(batch);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  has_ended_ = true;
  ended_.notify_all();
}

std::vector<Span> SpanSender::Next() {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  wake_.wait_for(lock, absl::ToChronoNanoseconds(options_.max_delay), [this] {
    return stopping_ || queue_.size() >= options_.max_batch;
  });
  const auto size =
      static_cast<ptrdiff_t>(std::min(queue_.size(), options_.max_batch));
  std::vector<Span> batch(std::make_move_iterator(queue_.begin()),
                          std::make_move_iterator(queue_.begin() + size));
  queue_.erase(queue_.begin(), queue_.begin() + size);
  return batch;
}

void SpanSender::Send(const std::vector<Span>& batch) {
  const OtlpRequest request = WriteOtlpRequest(options_.resource, batch);
  absl::Duration delay = kFirstRetryDelay;
  for (int attempt = 1;; ++attempt, delay *= 2) {
    const absl::StatusOr<int64_t> rejected = exporter_->Export(request);
    if (rejected.ok()) {
      const auto refused = std::min(
          batch.size(), static_cast<size_t>(std::max<int64_t>(0, *rejected)));
      sent_.Add(static_cast<double>(batch.size() - refused));
      if (refused > 0) {
        Drop(dropped_unsent_, refused, "the collector rejected them");
      }
      return;
    }
    if (!absl::IsUnavailable(rejected.status()) || attempt == kMaxAttempts ||
        !WaitToRetry(delay)) {
      Drop(dropped_unsent_, batch.size(), rejected.status().message());
      return;
    }
  }
}

bool SpanSender::WaitToRetry(absl::Duration delay) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !wake_.wait_for(lock, absl::ToChronoNanoseconds(delay),
                         [this] { return stopping_; });
}

void SpanSender::Drop(Counter& counter, size_t spans,
                      absl::string_view reason) {
  counter.Add(static_cast<double>(spans));
  log_.Warn(absl::StrCat("traces: spans are dropped: ", reason));
}

}  // namespace rls
