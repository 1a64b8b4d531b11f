#ifndef RLS_TIERS_TIER_SOURCES_H_
#define RLS_TIERS_TIER_SOURCES_H_

#include <memory>

#include "base/clock.h"
#include "metrics/metrics.h"
#include "rules/tier_source.h"

namespace rls {

// Sources over HTTP. They share one thread, which begins with the first of them
// and ends with this object; what waits then is answered as if the source had
// not answered. No source may be asked after that.
//
// Lifetime: `clock` and `metrics` must outlive it.
std::unique_ptr<TierSources> NewHttpTierSources(const Clock& clock,
                                                Metrics& metrics);

}  // namespace rls

#endif  // RLS_TIERS_TIER_SOURCES_H_
