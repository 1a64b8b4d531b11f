#ifndef RLS_LIMITER_LEADING_H_
#define RLS_LIMITER_LEADING_H_

#include "absl/types/span.h"
#include "limit/charge.h"
#include "limiter/applied_limit.h"
#include "limiter/modes.h"
#include "limiter/verdict.h"

namespace rls {

// The status of a limit, the limits that refuse a request, and the one that
// speaks for it. Pure functions.

// Sets the status of a limit to the outcome of its charge. If the charge is a
// look in place of a probe, the cost must be left.
void ShowOutcome(const Outcome& outcome, const Charge& charge,
                 AppliedLimit& limit);

// Whether the limits are exceeded, so that the request is refused unless
// SHADOW_MODE lets it pass. `limits` are in the order of their descriptors;
// `statuses`, one for each descriptor, tell which ones are unlimited.
bool IsExceeded(absl::Span<const AppliedLimit> limits,
                absl::Span<const LimitStatus> statuses,
                const DecisionModes& modes);

// Whether `status` rather than `leader` speaks for several limits, which are
// over (`over_limit`) or not. Over: the limit that resets last. Else the limit
// with the least remaining. On a tie, the first one.
bool Leads(const LimitStatus& status, const LimitStatus& leader,
           bool over_limit);

// The status that speaks for a request of a domain with tiers. If the request
// is over its limit, only statuses that are over. Null if no limit applies.
const LimitStatus* LeadingOfTiers(absl::Span<const LimitStatus> statuses,
                                  bool over_limit);

// The status that speaks for a request of a domain with descriptors, as in
// envoyproxy/ratelimit: the last one that is over and no quota; without one,
// the one with the least remaining, the first one on a tie. Null if no limit
// applies.
const LimitStatus* LeadingOfDescriptors(absl::Span<const LimitStatus> statuses,
                                        const DecisionModes& modes);

}  // namespace rls

#endif  // RLS_LIMITER_LEADING_H_
