#ifndef RLS_TIERS_TIER_SOURCES_H_
#define RLS_TIERS_TIER_SOURCES_H_

#include <memory>

#include "base/clock.h"
#include "metrics/metrics.h"
#include "rules/tier_source.h"

namespace rls {

// Tier sources over HTTP. They share one thread, which starts with the first
// source and ends with this object. At that end, lookups that still wait get
// the answer for a source that does not respond.
//
// Lifetime: `clock` and `metrics` must outlive this object. Its sources must
// not be used after its end.
std::unique_ptr<TierSources> NewHttpTierSources(const Clock& clock,
                                                Metrics& metrics);

}  // namespace rls

#endif  // RLS_TIERS_TIER_SOURCES_H_
