#ifndef RLS_TRACE_SPAN_H_
#define RLS_TRACE_SPAN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trace/trace_context.h"

namespace rls {

enum class SpanKind { kServer, kInternal };

// A piece of work that has ended or is under way, as it is sent.
struct Span {
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_id{};      // all zero: the root of its trace
  std::string state;       // W3C tracestate
  absl::string_view name;  // of static lifetime
  SpanKind kind = SpanKind::kServer;
  absl::Time start;
  absl::Time end;
  // The keys are of static lifetime. The texts are valid UTF-8.
  std::vector<std::pair<absl::string_view, std::variant<int64_t, std::string>>>
      attributes;
  bool failed = false;
  std::string error;  // why it failed
};

}  // namespace rls

#endif  // RLS_TRACE_SPAN_H_
