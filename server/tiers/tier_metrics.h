#ifndef RLS_TIERS_TIER_METRICS_H_
#define RLS_TIERS_TIER_METRICS_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "metrics/metrics.h"

namespace rls {

// The result of one fetch of a user's tier from the source, or the reason why
// the source got no request.
enum class LookupResult {
  kOk,
  kNotFound,     // the user has no tier: a 404, or a null in the body
  kTimeout,      // no response in time
  kUnreachable,  // no connection, TLS, a broken response, an unreadable header
                 // file
  kHttpStatus,   // any status except 200 and 404
  kTooLarge,     // a response of more than kMaxResponseBytes
  kMalformed,    // a body that cannot be read
  kRefused,      // no request: a user that must not be sent (UserUrl())
  kBusy,         // no request: too many are under way
  kPaused,       // no request: the source has failed too often in a row
};
inline constexpr size_t kLookupResults = 10;

// The origin of the tier that a decision used.
enum class AnsweredFrom {
  kCache,
  kSource,     // fetched while the decision waited
  kLastKnown,  // expired in the cache, but the source gave no newer tier
  kNowhere,    // no tier known: the static assignment or the default tier
};
inline constexpr size_t kAnsweredFrom = 4;

// The metrics of one domain's source.
//
// Threads: every method may be called by many threads at once.
class TierMetrics {
 public:
  TierMetrics(Metrics& metrics, const std::string& domain);

  void Count(LookupResult result) {
    lookups_[static_cast<size_t>(result)]->Add(1);
  }
  void Count(AnsweredFrom from) { answers_[static_cast<size_t>(from)]->Add(1); }
  void ObserveFetch(absl::Duration duration) {
    seconds_.Observe(absl::ToDoubleSeconds(duration));
  }
  void SetCached(size_t users) { cached_.Set(static_cast<double>(users)); }

 private:
  std::array<Counter*, kLookupResults> lookups_;
  std::array<Counter*, kAnsweredFrom> answers_;
  Histogram& seconds_;
  Gauge& cached_;
};

}  // namespace rls

#endif  // RLS_TIERS_TIER_METRICS_H_
