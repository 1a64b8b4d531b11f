#include "trace/tracer.h"

#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "trace/span_exporter.h"
#include "trace/span_sender.h"

namespace rls {
namespace {

// Ids need to be unique, not secret.
template <size_t kSize>
std::array<uint8_t, kSize> NewId() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  std::array<uint8_t, kSize> id{};
  while (id == std::array<uint8_t, kSize>{}) {
    for (size_t i = 0; i < kSize; i += sizeof(uint64_t)) {
      const uint64_t number = random();
      std::memcpy(id.data() + i, &number, sizeof(number));
    }
  }
  return id;
}

constexpr size_t kUsualAttributes = 4;
constexpr uint64_t kAllTraces = uint64_t{1} << 63;

// The last 63 bits of the trace ids below this number are traced. All services
// that do the same with the same rate choose the same traces.
uint64_t BoundOf(double rate) {
  return static_cast<uint64_t>(rate * static_cast<double>(kAllTraces));
}

bool IsChosen(const TraceId& id, uint64_t bound) {
  uint64_t number = 0;
  for (size_t i = 8; i < id.size(); ++i) number = number << 8 | id[i];
  return (number >> 1) < bound;
}

class TracerImpl final : public Tracer {
 public:
  TracerImpl(TracerOptions options, std::unique_ptr<SpanExporter> exporter,
             const Clock& clock, Metrics& metrics)
      : formats_(options.formats),
        bound_(BoundOf(options.sampling_rate)),
        clock_(clock),
        sender_({.resource = std::move(options.resource),
                 .max_queue = options.max_queue,
                 .max_batch = options.max_batch,
                 .max_delay = options.max_delay},
                std::move(exporter), clock, metrics) {}

  std::unique_ptr<RequestTrace> Start(absl::string_view name,
                                      const TraceHeaders* headers) override {
    TraceContext caller;
    if (headers != nullptr) caller = headers->Parse(formats_);
    Span span;
    span.trace_id =
        caller.has_ids() ? caller.trace_id : NewId<sizeof(TraceId)>();
    if (!caller.sampled.value_or(IsChosen(span.trace_id, bound_))) {
      return nullptr;
    }
    span.span_id = NewId<sizeof(SpanId)>();
    span.parent_id = caller.span_id;
    span.state = std::move(caller.state);
    span.name = name;
    span.start = Now();
    span.attributes.reserve(kUsualAttributes);
    return std::make_unique<RequestTrace>(*this, std::move(span));
  }

  void Stop(absl::Duration most) override { sender_.Stop(most); }

 private:
  absl::Time Now() const override { return clock_.Now(); }
  void Finish(Span span) override { sender_.Add(std::move(span)); }

  const TraceFormats formats_;
  const uint64_t bound_;
  const Clock& clock_;
  SpanSender sender_;
};

// Says where spans go, without the path, which may hold a token.
void LogTarget(const TracerOptions& options) {
  const OtlpOptions& otlp = options.otlp;
  const bool is_grpc = otlp.protocol == OtlpProtocol::kGrpc;
  absl::string_view target = otlp.endpoint;
  const size_t host = is_grpc ? 0 : target.find("://") + 3;
  target = target.substr(0, target.find('/', host));
  LogInfo(absl::StrCat("traces: sending spans to ", target, " over OTLP/",
                       is_grpc ? "gRPC" : "HTTP", ", sampling rate ",
                       options.sampling_rate));
}

}  // namespace

RequestTrace::~RequestTrace() {
  EndPart("not answered");
  span_.end = tracer_.Now();
  tracer_.Finish(std::move(span_));
}

void RequestTrace::Add(absl::string_view key, int64_t value) {
  span_.attributes.emplace_back(key, value);
}

void RequestTrace::Add(absl::string_view key, absl::string_view value) {
  span_.attributes.emplace_back(key,
                                std::string(value.substr(0, kMaxTextBytes)));
}

void RequestTrace::Fail(absl::string_view error) {
  span_.failed = true;
  span_.error = std::string(error.substr(0, kMaxTextBytes));
}

void RequestTrace::BeginPart(absl::string_view name, absl::string_view key,
                             int64_t value) {
  EndPart("not answered");
  Span& part = part_.emplace();
  part.trace_id = span_.trace_id;
  part.span_id = NewId<sizeof(SpanId)>();
  part.parent_id = span_.span_id;
  part.state = span_.state;
  part.name = name;
  part.kind = SpanKind::kInternal;
  part.start = tracer_.Now();
  part.attributes.emplace_back(key, value);
}

void RequestTrace::EndPart(absl::string_view error) {
  if (!part_.has_value()) return;
  part_->end = tracer_.Now();
  part_->failed = !error.empty();
  part_->error = std::string(error.substr(0, kMaxTextBytes));
  tracer_.Finish(*std::move(part_));
  part_.reset();
}

absl::StatusOr<std::unique_ptr<Tracer>> NewTracer(TracerOptions options,
                                                  const Clock& clock,
                                                  Metrics& metrics) {
  LogTarget(options);
  auto exporter = options.otlp.protocol == OtlpProtocol::kGrpc
                      ? NewGrpcExporter(options.otlp)
                      : NewHttpExporter(options.otlp);
  if (!exporter.ok()) return exporter.status();
  return NewTracer(std::move(options), *std::move(exporter), clock, metrics);
}

std::unique_ptr<Tracer> NewTracer(TracerOptions options,
                                  std::unique_ptr<SpanExporter> exporter,
                                  const Clock& clock, Metrics& metrics) {
  return std::make_unique<TracerImpl>(std::move(options), std::move(exporter),
                                      clock, metrics);
}

}  // namespace rls
