#ifndef RLS_TRACE_OTLP_MESSAGE_H_
#define RLS_TRACE_OTLP_MESSAGE_H_

#include <string>
#include <utility>
#include <vector>

#include "trace/span.h"
#include "trace/span_exporter.h"

namespace rls {

// The process that the spans are about: attributes and their values.
using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

// Makes the message that carries the spans.
//
// Source: https://opentelemetry.io/docs/specs/otlp/
OtlpRequest WriteOtlpRequest(const ResourceAttributes& resource,
                             const std::vector<Span>& spans);

}  // namespace rls

#endif  // RLS_TRACE_OTLP_MESSAGE_H_
