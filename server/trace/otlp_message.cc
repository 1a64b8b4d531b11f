#include "trace/otlp_message.h"

#include "absl/strings/string_view.h"
#include "base/text.h"

namespace rls {
namespace {

namespace common = opentelemetry::proto::common::v1;
namespace trace = opentelemetry::proto::trace::v1;

template <size_t kSize>
std::string BytesOf(const std::array<uint8_t, kSize>& id) {
  return {id.begin(), id.end()};
}

// A string field must be UTF-8: otherwise the collector refuses the batch.
std::string TextOf(absl::string_view text) {
  return IsUtf8(text) ? std::string(text) : EscapeControls(text);
}

void Write(absl::string_view key, absl::string_view value,
           common::KeyValue& to) {
  to.set_key(TextOf(key));
  to.mutable_value()->set_string_value(TextOf(value));
}

uint64_t NanosOf(absl::Time time) {
  return static_cast<uint64_t>(absl::ToUnixNanos(time));
}

void Write(const Span& span, trace::Span& to) {
  to.set_trace_id(BytesOf(span.trace_id));
  to.set_span_id(BytesOf(span.span_id));
  if (span.parent_id != SpanId{}) {
    to.set_parent_span_id(BytesOf(span.parent_id));
  }
  to.set_trace_state(TextOf(span.state));
  to.set_flags(1);  // sampled: other spans are not sent
  to.set_name(std::string(span.name));
  to.set_kind(span.kind == SpanKind::kServer ? trace::Span::SPAN_KIND_SERVER
                                             : trace::Span::SPAN_KIND_INTERNAL);
  to.set_start_time_unix_nano(NanosOf(span.start));
  to.set_end_time_unix_nano(NanosOf(span.end));
  for (const auto& [key, value] : span.attributes) {
    common::KeyValue& attribute = *to.add_attributes();
    if (const auto* text = std::get_if<std::string>(&value)) {
      Write(key, *text, attribute);
    } else {
      attribute.set_key(std::string(key));
      attribute.mutable_value()->set_int_value(std::get<int64_t>(value));
    }
  }
  if (span.failed) {
    to.mutable_status()->set_code(trace::Status::STATUS_CODE_ERROR);
    to.mutable_status()->set_message(TextOf(span.error));
  }
}

}  // namespace

OtlpRequest WriteOtlpRequest(const ResourceAttributes& resource,
                             const std::vector<Span>& spans) {
  OtlpRequest request;
  trace::ResourceSpans& of_process = *request.add_resource_spans();
  for (const auto& [key, value] : resource) {
    Write(key, value, *of_process.mutable_resource()->add_attributes());
  }
  trace::ScopeSpans& of_scope = *of_process.add_scope_spans();
  of_scope.mutable_scope()->set_name("ratelimitd");
  for (const Span& span : spans) Write(span, *of_scope.add_spans());
  return request;
}

}  // namespace rls
