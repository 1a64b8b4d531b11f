#include "limiter/end_trace.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rls {

void DescribeAndEnd(std::unique_ptr<RequestTrace>& trace, const Query& query,
                    const absl::StatusOr<const Verdict*>& verdict) {
  trace->Add("domain", query.domain);
  trace->Add("ratelimit.descriptors",
             static_cast<int64_t>(query.descriptors.size()));
  if (!verdict.ok()) {
    trace->Fail(absl::StatusCodeToString(verdict.status().code()));
  } else {
    trace->Add("ratelimit.code",
               absl::string_view((*verdict)->over_limit ? "OVER_LIMIT" : "OK"));
    const LimitStatus* const leading = (*verdict)->leading;
    if (leading != nullptr && leading->rule != nullptr) {
      trace->Add("ratelimit.rule", absl::string_view(leading->rule->path));
    }
  }
  trace.reset();
}

}  // namespace rls
