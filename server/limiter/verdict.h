#ifndef RLS_LIMITER_VERDICT_H_
#define RLS_LIMITER_VERDICT_H_

#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limit/policy.h"
#include "limiter/query.h"
#include "rules/domain.h"

namespace rls {

// What the limiter says of one descriptor.
// Lifetime: views and pointers of the query and of the rule snapshot; valid
// while the callback that got the verdict runs.
struct LimitStatus {
  bool over_limit = false;
  bool degraded = false;  // it would be, but for a cheaper model
  // Null when no limit applies: nothing matched, unlimited, replaced.
  const Policy* policy = nullptr;
  const CompiledRule* rule = nullptr;  // null for a caller's own limit
  bool unlimited = false;
  int64_t remaining = 0;  // 0 when over
  // Until the limit resets, or, when over, until the same charge could pass;
  // InfiniteDuration() when it never can.
  absl::Duration reset;
};

// What the limiter says of the whole request.
struct Verdict {
  Verdict() = default;
  Verdict(const Verdict&) = delete;  // `leading` points into it
  Verdict& operator=(const Verdict&) = delete;

  bool over_limit = false;
  // In the descriptors' order.
  absl::InlinedVector<LimitStatus, kUsualDescriptors> statuses;
  // The status that speaks for the request. When it is over its limit: of those
  // over, the one that resets last. Else: of those with a limit, the one with
  // the least remaining. The first on a tie; null when no limit applies.
  const LimitStatus* leading = nullptr;
  // Not null: it passes although a limit is used up, on a cheaper model, and
  // the gateway is to be told so.
  const DegradeRule* degraded = nullptr;
  absl::string_view model;  // to use then; "" leaves it to the gateway
};

}  // namespace rls

#endif  // RLS_LIMITER_VERDICT_H_
