#ifndef RLS_TIERS_HTTP_TIER_SOURCE_H_
#define RLS_TIERS_HTTP_TIER_SOURCE_H_

#include <memory>
#include <string>

#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rules/tier_source.h"
#include "tiers/http_client.h"

namespace rls {

// Lifetime: all of these must outlive the last Lookup() or Refresh() and the
// fetch that it begins. Afterwards the source does not use them.
struct HttpTierSourceDependencies {
  EventLoop& loop;  // runs on a thread of its own
  HttpClient& client;
  const Clock& clock;
  Metrics& metrics;
};

// Looks up the tiers of one domain's users with GET requests to the URL of
// `spec`, and caches them as `spec` describes.
std::shared_ptr<TierSource> NewHttpTierSource(
    const HttpTierSourceDependencies& dependencies, const std::string& domain,
    const TierSourceSpec& spec);

}  // namespace rls

#endif  // RLS_TIERS_HTTP_TIER_SOURCE_H_
