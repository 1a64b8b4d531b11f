#ifndef RLS_LIMITER_COUNT_STATISTICS_H_
#define RLS_LIMITER_COUNT_STATISTICS_H_

#include <cstdint>

#include "limiter/phases.h"
#include "metrics/statistics.h"

namespace rls {

// The hits of one charge, by the arithmetic of envoyproxy/ratelimit.
struct ChargedLimit {
  int64_t limit = 0;
  int64_t cost = 0;
  // If refused, the units that were left before the charge. Else those that are
  // left after it.
  int64_t left = 0;
  bool over = false;
  bool shadowed = false;
  bool from_memory = false;
};
HitCounts HitsOfCharge(const ChargedLimit& charge, float near_limit_ratio);

// Counts the limits of a request whose verdict is concluded. A look and a
// refund count nothing, and neither does a limit that does not apply.
void CountStatistics(const Taken& request, Statistics& statistics);

}  // namespace rls

#endif  // RLS_LIMITER_COUNT_STATISTICS_H_
