// The headers that carry a trace context: a byte for the formats, then lines
// "name: value".

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "trace/trace_context.h"

namespace rls {
namespace {

template <typename Id>
std::string HexOf(const Id& id) {
  return absl::BytesToHexString(std::string(id.begin(), id.end()));
}

void AddAll(absl::string_view lines, TraceHeaders& headers) {
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    headers.Add(field.first, field.second);
  }
}

void CheckContext(const TraceContext& context) {
  Require(context.has_ids() == (context.span_id != SpanId{}),
          "a trace id and a span id come together");
  Require(context.state.size() <= TraceHeaders::kMaxValueBytes,
          "the state is bounded");
  for (const char c : context.state) {
    Require(c >= ' ' && c <= '~', "the state is text");
  }
  if (!context.has_ids() || !context.sampled.has_value()) return;
  TraceHeaders headers;
  headers.Add("traceparent", absl::StrCat("00-", HexOf(context.trace_id), "-",
                                          HexOf(context.span_id), "-0",
                                          *context.sampled ? "1" : "0"));
  const TraceContext again = headers.Parse({});
  Require(again.trace_id == context.trace_id &&
              again.span_id == context.span_id &&
              again.sampled == context.sampled,
          "a context is the same after writing and reading");
}

}  // namespace

void FuzzTraceHeaders(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  const uint8_t switches = input.Byte();
  const TraceFormats formats = {.w3c = (switches & 1) == 0,
                                .b3 = (switches & 2) == 0};
  const absl::string_view lines = input.Rest();
  TraceHeaders headers;
  AddAll(lines, headers);
  const TraceContext first = headers.Parse(formats);
  CheckContext(first);
  headers.Clear();
  AddAll(lines, headers);
  const TraceContext second = headers.Parse(formats);
  Require(first.trace_id == second.trace_id &&
              first.sampled == second.sampled && first.state == second.state,
          "cleared headers leave nothing behind");
}

}  // namespace rls
