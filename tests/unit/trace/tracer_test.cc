#include "trace/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fake_clock.h"
#include "trace/span_exporter.h"
#include "trace/span_sender.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What an exporter in this process was given, and what it answers.
//
// A std::mutex, because ThreadSanitizer does not see the locks of absl::Mutex.
struct Collected {
  std::mutex mutex;  // of all members
  std::condition_variable changed;
  std::vector<OtlpRequest> requests;
  bool is_open = true;  // false: Export() waits
  bool is_cancelled = false;
  bool is_waiting = false;
  absl::StatusOr<int64_t> answer = 0;

  void Open() { Set(is_open, true); }
  void Close() { Set(is_open, false); }
  void Cancel() { Set(is_cancelled, true); }
  void Answer(absl::StatusOr<int64_t> next) {
    const std::lock_guard lock(mutex);
    answer = std::move(next);
  }
  absl::StatusOr<int64_t> Export(const OtlpRequest& request) {
    std::unique_lock lock(mutex);
    is_waiting = true;
    changed.notify_all();
    changed.wait(lock, [this] { return is_open || is_cancelled; });
    is_waiting = false;
    if (is_cancelled) return absl::CancelledError("cancelled");
    requests.push_back(request);
    changed.notify_all();
    return answer;
  }
  // Waits until an Export() waits.
  void AwaitWaiting() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return is_waiting; });
  }
  void AwaitRequest() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !requests.empty(); });
  }
  std::vector<opentelemetry::proto::trace::v1::Span> spans() {
    const std::lock_guard lock(mutex);
    std::vector<opentelemetry::proto::trace::v1::Span> all;
    for (const OtlpRequest& request : requests) {
      for (const auto& span :
           request.resource_spans(0).scope_spans(0).spans()) {
        all.push_back(span);
      }
    }
    return all;
  }

 private:
  void Set(bool& flag, bool value) {
    const std::lock_guard lock(mutex);
    flag = value;
    changed.notify_all();
  }
};

class FakeExporter final : public SpanExporter {
 public:
  explicit FakeExporter(Collected& collected) : collected_(collected) {}

  absl::StatusOr<int64_t> Export(const OtlpRequest& request) override {
    return collected_.Export(request);
  }
  void Cancel() override { collected_.Cancel(); }

 private:
  Collected& collected_;
};

class TracerTest : public ::testing::Test {
 protected:
  void Make(TracerOptions options) {
    // Only Stop() or a full batch sends spans.
    options.max_delay = absl::Hours(1);
    tracer_ = NewTracer(std::move(options),
                        std::make_unique<FakeExporter>(collected_), clock_,
                        *metrics_);
  }

  void Stop() { tracer_->Stop(absl::Hours(1)); }

  // Begins and ends the traces of requests without trace headers.
  int TracedOf(int requests) {
    int traced = 0;
    for (int i = 0; i < requests; ++i) {
      traced += tracer_->Start("request", nullptr) != nullptr ? 1 : 0;
    }
    return traced;
  }

  std::string Dropped(const std::string& reason) {
    return absl::StrCat("ratelimitd_trace_spans_dropped_total{reason=\"",
                        reason, "\"} ");
  }

  FakeClock clock_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  Collected collected_;
  std::unique_ptr<Tracer> tracer_;
};

TEST_F(TracerTest, ARequestContinuesTheTraceOfItsCaller) {
  Make({.resource = {{"service.name", "RateLimit"}}});
  TraceHeaders headers;
  headers.Add("traceparent",
              "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  headers.Add("tracestate", "vendor=1");
  auto trace = tracer_->Start("request", &headers);
  ASSERT_NE(trace, nullptr);
  trace->BeginPart("part", "count", 3);
  clock_.Advance(absl::Seconds(2));
  trace->EndPart("UNAVAILABLE");
  trace->Add("text", absl::string_view("a\xff"));
  trace->Fail("reason");
  trace.reset();
  Stop();
  const auto spans = collected_.spans();
  ASSERT_EQ(spans.size(), 2u);
  const auto& part = spans[0];
  const auto& request = spans[1];
  EXPECT_EQ(request.trace_id(),
            "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c");
  EXPECT_EQ(request.parent_span_id(), "\xb7\xad\x6b\x71\x69\x20\x33\x31");
  EXPECT_EQ(request.trace_state(), "vendor=1");
  EXPECT_EQ(request.name(), "request");
  EXPECT_EQ(request.kind(), request.SPAN_KIND_SERVER);
  EXPECT_EQ(request.attributes(0).value().string_value(), "a\\xff");
  EXPECT_EQ(request.status().message(), "reason");
  EXPECT_EQ(request.end_time_unix_nano() - request.start_time_unix_nano(),
            2'000'000'000u);
  EXPECT_EQ(part.trace_id(), request.trace_id());
  EXPECT_EQ(part.parent_span_id(), request.span_id());
  EXPECT_EQ(part.attributes(0).value().int_value(), 3);
  EXPECT_EQ(part.status().code(), 2);
  const std::lock_guard lock(collected_.mutex);
  const auto& resource = collected_.requests[0].resource_spans(0).resource();
  EXPECT_EQ(resource.attributes(0).value().string_value(), "RateLimit");
}

TEST_F(TracerTest, TheCallerDecidesBeforeTheRate) {
  for (const double rate : {0.0, 1.0}) {
    Make({.sampling_rate = rate});
    for (const bool sampled : {false, true}) {
      TraceHeaders headers;
      headers.Add("b3", sampled ? "1" : "0");
      EXPECT_EQ(tracer_->Start("request", &headers) != nullptr, sampled);
    }
    TraceHeaders undecided;
    undecided.Add("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331");
    EXPECT_EQ(tracer_->Start("request", &undecided) != nullptr, rate == 1);
    EXPECT_EQ(TracedOf(1), rate);
  }
}

TEST_F(TracerTest, TheRateIsTheShareOfTheRequests) {
  constexpr int kRequests = 10'000;
  Make({.sampling_rate = 0.25});
  // 15 standard deviations.
  EXPECT_NEAR(TracedOf(kRequests), 0.25 * kRequests, 650);
}

TEST_F(TracerTest, TheSameTracesAreChosenByTheTraceId) {
  Make({.sampling_rate = 0.5});
  const auto is_traced = [this](absl::string_view id) {
    TraceHeaders headers;
    headers.Add("b3", absl::StrCat("0af7651916cd43dd", id, "-", id));
    return tracer_->Start("request", &headers) != nullptr;
  };
  EXPECT_TRUE(is_traced("0000000000000001"));
  EXPECT_TRUE(is_traced("7fffffffffffffff"));
  EXPECT_FALSE(is_traced("8000000000000000"));
  EXPECT_FALSE(is_traced("ffffffffffffffff"));
}

TEST_F(TracerTest, IdsAreDifferent) {
  Make({});
  TracedOf(100);
  Stop();
  std::set<std::string> traces;
  std::set<std::string> spans;
  for (const auto& span : collected_.spans()) {
    EXPECT_EQ(span.parent_span_id(), "");
    traces.insert(span.trace_id());
    spans.insert(span.span_id());
  }
  EXPECT_EQ(traces.size(), 100u);
  EXPECT_EQ(spans.size(), 100u);
}

TEST_F(TracerTest, SpansAreSentInBatches) {
  Make({.max_batch = 3});
  TracedOf(7);
  Stop();
  const std::lock_guard lock(collected_.mutex);
  std::vector<int> sizes;
  for (const OtlpRequest& request : collected_.requests) {
    sizes.push_back(request.resource_spans(0).scope_spans(0).spans_size());
  }
  EXPECT_THAT(sizes, ElementsAre(3, 3, 1));
}

TEST_F(TracerTest, ABatchThatIsFullIsSentAtOnce) {
  Make({.max_batch = 3});
  TracedOf(3);
  collected_.AwaitRequest();
  const std::lock_guard lock(collected_.mutex);
  EXPECT_EQ(collected_.requests.size(), 1u);
}

TEST_F(TracerTest, SpansBeyondTheQueueAreDroppedAndCounted) {
  collected_.Close();
  Make({.max_queue = 10, .max_batch = 2});
  TracedOf(2);
  collected_.AwaitWaiting();  // with two spans
  TracedOf(15);               // ten of which fit into the queue
  EXPECT_THAT(metrics_->Text(), HasSubstr(Dropped("queue_full") + "5"));
  collected_.Open();
  Stop();
  EXPECT_EQ(collected_.spans().size(), 12u);
  EXPECT_THAT(metrics_->Text(),
              HasSubstr("ratelimitd_trace_spans_sent_total 12"));
}

TEST_F(TracerTest, ACollectorThatDoesNotAnswerEndsWithTheTracer) {
  collected_.Close();
  Make({.max_batch = 1});
  TracedOf(3);
  collected_.AwaitWaiting();
  tracer_->Stop(absl::ZeroDuration());
  tracer_.reset();
  EXPECT_THAT(metrics_->Text(), HasSubstr(Dropped("not_sent") + "3"));
}

TEST_F(TracerTest, SpansAfterStopAreDropped) {
  Make({});
  Stop();
  TracedOf(2);
  EXPECT_THAT(metrics_->Text(), HasSubstr(Dropped("queue_full") + "2"));
}

TEST_F(TracerTest, RejectedSpansAreCounted) {
  collected_.Answer(2);
  Make({});
  TracedOf(5);
  Stop();
  EXPECT_THAT(metrics_->Text(), HasSubstr(Dropped("not_sent") + "2"));
  EXPECT_THAT(metrics_->Text(),
              HasSubstr("ratelimitd_trace_spans_sent_total 3"));
}

TEST_F(TracerTest, AFailureForGoodIsNotTriedAgain) {
  collected_.Answer(absl::InternalError("401"));
  Make({});
  TracedOf(5);
  Stop();
  const std::lock_guard lock(collected_.mutex);
  EXPECT_EQ(collected_.requests.size(), 1u);
}

}  // namespace
}  // namespace rls
