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

// What a source does its work with. All of it must outlive the source's calls;
// a source that nobody asks any more touches nothing of it.
struct HttpTierSourceParts {
  EventLoop& loop;  // runs on a thread of its own
  HttpClient& client;
  const Clock& clock;
  Metrics& metrics;
};

// The tiers of one domain's users, told by GET requests to the URL of `spec`
// and remembered as it says.
std::shared_ptr<TierSource> NewHttpTierSource(const HttpTierSourceParts& parts,
                                              const std::string& domain,
                                              const TierSourceSpec& spec);

}  // namespace rls

#endif  // RLS_TIERS_HTTP_TIER_SOURCE_H_
