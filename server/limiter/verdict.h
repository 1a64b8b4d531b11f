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

// The answer for one descriptor.
// Lifetime: views and pointers into the query and the rule snapshot; valid
// while the callback runs that got the verdict.
struct LimitStatus {
  bool over_limit = false;
  bool degraded = false;  // over, but the request passes on a cheaper model
  // Null if no limit applies: no rule matches, or the rule is unlimited or
  // replaced.
  const Policy* policy = nullptr;
  const CompiledRule* rule = nullptr;  // null for a limit override
  bool unlimited = false;
  bool secret = false;    // Match::secret
  int64_t remaining = 0;  // 0 when over
  // Until the limit resets; when over, until the same charge could pass.
  absl::Duration reset;
  // Over, and the same charge can never pass: the limit is 0, or less than the
  // cost. `reset` is the time until the counter is like an unused one; if it is
  // that already, as a full token bucket is, one window.
  bool never_fits = false;
};

// The answer for the whole request.
struct Verdict {
  Verdict() = default;
  Verdict(const Verdict&) = delete;  // `leading` points into it
  Verdict& operator=(const Verdict&) = delete;

  bool over_limit = false;
  // SHADOW_MODE lets the request pass, although it is over its limit.
  bool shadowed = false;
  const Query* query = nullptr;    // the request; null in some tests
  const Domain* domain = nullptr;  // null: no configuration names it
  // In the order of the descriptors.
  absl::InlinedVector<LimitStatus, kUsualDescriptors> statuses;
  // The status that speaks for the request: see limiter/leading.h. Null if no
  // limit applies.
  const LimitStatus* leading = nullptr;
  // Not null: a limit is used up, but the request passes on a cheaper model.
  // The answer must let the gateway know.
  const DegradeRule* degraded = nullptr;
  absl::string_view model;  // the cheaper model; "" leaves it to the gateway
};

}  // namespace rls

#endif  // RLS_LIMITER_VERDICT_H_
