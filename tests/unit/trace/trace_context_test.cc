#include "trace/trace_context.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";
constexpr char kSpan[] = "b7ad6b7169203331";
constexpr char kParent[] = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

template <typename Id>
std::string HexOf(const Id& id) {
  return absl::BytesToHexString(std::string(id.begin(), id.end()));
}

using Headers = std::vector<std::pair<std::string, std::string>>;

TraceContext Parse(const Headers& headers, const TraceFormats& formats = {}) {
  TraceHeaders read;
  for (const auto& [name, value] : headers) read.Add(name, value);
  return read.Parse(formats);
}

// "trace-span", or "" without a trace; then sampled: + yes, - no, ? undecided.
std::string Shown(const TraceContext& context) {
  const std::string ids =
      context.has_ids()
          ? absl::StrCat(HexOf(context.trace_id), "-", HexOf(context.span_id))
          : "";
  if (!context.sampled.has_value()) return ids + "?";
  return ids + (*context.sampled ? "+" : "-");
}

struct Case {
  const char* name;
  Headers headers;
  std::string expected;
};

std::string W3c(const std::string& version, const std::string& rest) {
  return absl::StrCat(version, "-", kParent, "-", rest);
}

std::vector<Case> GoodCases() {
  const std::string parent = kParent;
  const std::string half = "0000000000000000";
  return {
      {"NoHeader", {}, "?"},
      {"OtherHeaders", {{"accept", "x"}, {"b", "3"}}, "?"},
      {"W3cSampled", {{"traceparent", W3c("00", "01")}}, parent + "+"},
      {"W3cNotSampled", {{"traceparent", W3c("00", "00")}}, parent + "-"},
      {"W3cOtherFlags", {{"traceparent", W3c("00", "fe")}}, parent + "-"},
      {"W3cUpperName", {{"TraceParent", W3c("00", "01")}}, parent + "+"},
      {"W3cLaterVersion", {{"traceparent", W3c("cc", "01-x")}}, parent + "+"},
      {"B3", {{"b3", parent + "-1"}}, parent + "+"},
      {"B3Not", {{"b3", parent + "-0"}}, parent + "-"},
      {"B3Debug", {{"b3", parent + "-d"}}, parent + "+"},
      {"B3Undecided", {{"b3", parent}}, parent + "?"},
      {"B3Parent", {{"b3", absl::StrCat(parent, "-1-", kSpan)}}, parent + "+"},
      {"B3OnlyNot", {{"b3", "0"}}, "-"},
      {"B3OnlyYes", {{"b3", "1"}}, "+"},
      {"B3Short",
       {{"b3", absl::StrCat(kSpan, "-", kSpan, "-1")}},
       absl::StrCat(half, kSpan, "-", kSpan, "+")},
      {"B3Headers",
       {{"X-B3-TraceId", kTrace},
        {"X-B3-SpanId", kSpan},
        {"X-B3-Sampled", "1"}},
       parent + "+"},
      {"B3HeadersTrue",
       {{"x-b3-traceid", kTrace},
        {"x-b3-spanid", kSpan},
        {"x-b3-sampled", "false"}},
       parent + "-"},
      {"B3Flags",
       {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"x-b3-flags", "1"}},
       parent + "+"},
      {"B3HeadersUndecided",
       {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}},
       parent + "?"},
      {"B3SampledOnly", {{"x-b3-sampled", "0"}}, "-"},
      {"BothFormats", {{"traceparent", W3c("00", "00")}, {"b3", "1"}}, "+"},
      {"BrokenB3LeavesW3c",
       {{"traceparent", W3c("00", "01")}, {"b3", "broken"}},
       parent + "+"},
  };
}

TEST(TraceContextTest, ReadsTheHeadersOfBothFormats) {
  for (const Case& test : GoodCases()) {
    EXPECT_EQ(Shown(Parse(test.headers)), test.expected) << test.name;
  }
}

TEST(TraceContextTest, IgnoresMalformedHeaders) {
  const std::string parent = kParent;
  const std::string zeros(32, '0');
  const std::string upper = "0AF7651916CD43DD8448EB211C80319C";
  const std::vector<Headers> cases = {
      {{"traceparent", ""}},
      {{"traceparent", "00"}},
      {{"traceparent", W3c("00", "0")}},
      {{"traceparent", W3c("00", "0x")}},
      {{"traceparent", W3c("00", "x1")}},
      {{"traceparent", W3c("00", "01-more")}},
      {{"traceparent", W3c("cc", "01x")}},
      {{"traceparent", W3c("ff", "01")}},
      {{"traceparent", W3c("0g", "01")}},
      {{"traceparent", absl::StrCat("00-", zeros, "-", kSpan, "-01")}},
      {{"traceparent",
        absl::StrCat("00-", kTrace, "-", zeros.substr(16), "-01")}},
      {{"traceparent", absl::StrCat("00-", upper, "-", kSpan, "-01")}},
      {{"traceparent", absl::StrCat("00_", kTrace, "-", kSpan, "-01")}},
      {{"traceparent", W3c("00", "01")}, {"traceparent", W3c("00", "01")}},
      {{"traceparent", W3c("cc", "01-" + std::string(1000, 'x'))}},
      {{"tracestate", "vendor=1"}},
      {{"b3", "2"}},
      {{"b3", kTrace}},
      {{"b3", parent + "-"}},
      {{"b3", parent + "-2"}},
      {{"b3", parent + "-1-" + kSpan + "-x"}},
      {{"b3", parent + "-1-x"}},
      {{"b3", absl::StrCat(zeros, "-", kSpan, "-1")}},
      {{"b3", absl::StrCat(upper, "-", kSpan, "-1")}},
      {{"x-b3-traceid", kTrace}},
      {{"x-b3-spanid", kSpan}, {"x-b3-sampled", "1"}},
      {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kTrace}},
      {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"x-b3-sampled", "x"}},
  };
  for (const Headers& headers : cases) {
    EXPECT_EQ(Shown(Parse(headers)), "?") << headers[0].second;
  }
}

TEST(TraceContextTest, ReadsOnlyTheFormatsThatAreSwitchedOn) {
  const Headers both = {{"traceparent", W3c("00", "01")}, {"b3", "0"}};
  EXPECT_EQ(Shown(Parse(both, {.w3c = true, .b3 = false})),
            absl::StrCat(kParent, "+"));
  EXPECT_EQ(Shown(Parse(both, {.w3c = false, .b3 = true})), "-");
  EXPECT_EQ(Shown(Parse(both, {.w3c = false, .b3 = false})), "?");
}

TEST(TraceContextTest, KeepsTheStateOfTheCallerIfItIsText) {
  const std::pair<std::string, std::string> parent = {"traceparent",
                                                      W3c("00", "01")};
  EXPECT_EQ(Parse({parent, {"tracestate", "a=1"}, {"tracestate", "b=2"}}).state,
            "a=1,b=2");
  EXPECT_EQ(Parse({parent, {"tracestate", "a=\xff"}}).state, "");
  const std::string half(TraceHeaders::kMaxValueBytes / 2 + 1, 'x');
  EXPECT_EQ(Parse({parent, {"tracestate", half}, {"tracestate", half}}).state,
            half);
  EXPECT_EQ(Parse({parent, {"tracestate", half + half}}).state, "");
}

TEST(TraceContextTest, ClearedHeadersAreEmpty) {
  TraceHeaders headers;
  EXPECT_TRUE(headers.empty());
  headers.Add("traceparent", W3c("00", "01"));
  EXPECT_FALSE(headers.empty());
  headers.Clear();
  EXPECT_TRUE(headers.empty());
  EXPECT_EQ(Shown(headers.Parse({})), "?");
  headers.Add("traceparent", W3c("00", "00"));
  EXPECT_EQ(Shown(headers.Parse({})), absl::StrCat(kParent, "-"));
}

}  // namespace
}  // namespace rls
