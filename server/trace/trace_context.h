#ifndef RLS_TRACE_TRACE_CONTEXT_H_
#define RLS_TRACE_TRACE_CONTEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

// The span of another process that caused a request.
struct TraceContext {
  TraceId trace_id{};  // all zero: the caller has no trace
  SpanId span_id{};
  // Whether the caller records the trace. Nullopt: the caller leaves this to
  // the server.
  std::optional<bool> sampled;
  std::string state;  // W3C tracestate, unchanged

  bool has_ids() const { return trace_id != TraceId{}; }
};

// The header formats that carry a trace context.
struct TraceFormats {
  bool w3c = true;  // traceparent, tracestate
  bool b3 = true;   // b3, or X-B3-TraceId and the others
};

// The trace headers of one request. Other headers are ignored.
//
// A value longer than kMaxValueBytes counts as missing, so that a client cannot
// make the server keep more.
class TraceHeaders {
 public:
  static constexpr size_t kMaxValueBytes = 512;

  // The name may have any letter case.
  void Add(absl::string_view name, absl::string_view value);

  // Keeps the memory for the next request.
  void Clear();
  bool empty() const { return !has_any_; }

  // The context that the headers carry. Malformed headers count as missing. If
  // both formats carry a context, B3 is used, as in envoyproxy/ratelimit.
  //
  // Source: https://www.w3.org/TR/trace-context/,
  // https://github.com/openzipkin/b3-propagation
  TraceContext Parse(const TraceFormats& formats) const;

 private:
  enum Slot {
    kTraceparent,
    kTracestate,
    kB3,
    kB3TraceId,
    kB3SpanId,
    kB3Sampled,
    kB3Flags,
    kSlots,
  };
  static Slot SlotOf(absl::string_view name);

  bool ParseB3(TraceContext& context) const;
  bool ParseB3Headers(TraceContext& context) const;

  std::array<std::string, kSlots> values_;
  bool has_any_ = false;
  bool is_ambiguous_ = false;  // two traceparent headers
};

}  // namespace rls

#endif  // RLS_TRACE_TRACE_CONTEXT_H_
