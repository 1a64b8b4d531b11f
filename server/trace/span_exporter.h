#ifndef RLS_TRACE_SPAN_EXPORTER_H_
#define RLS_TRACE_SPAN_EXPORTER_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "trace/otlp_options.h"

namespace rls {

using OtlpRequest =
    opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using OtlpResponse =
    opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;

// Sends spans to a collector.
class SpanExporter {
 public:
  virtual ~SpanExporter() = default;

  // Returns the number of spans that the collector rejected.
  //
  // Threads: one thread at a time. Blocks, at most for the timeout.
  // Failure: UNAVAILABLE if another attempt can succeed, else another code. No
  // message contains a header.
  virtual absl::StatusOr<int64_t> Export(const OtlpRequest& request) = 0;

  // Ends an Export() under way, and makes later ones fail.
  //
  // Threads: any thread.
  virtual void Cancel() = 0;
};

// Failure: INVALID_ARGUMENT (a file of TLS cannot be read).
absl::StatusOr<std::unique_ptr<SpanExporter>> NewGrpcExporter(
    const OtlpOptions& options);
absl::StatusOr<std::unique_ptr<SpanExporter>> NewHttpExporter(
    const OtlpOptions& options);

}  // namespace rls

#endif  // RLS_TRACE_SPAN_EXPORTER_H_
