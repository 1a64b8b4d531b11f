#ifndef RLS_TIERS_TIER_METRICS_H_
#define RLS_TIERS_TIER_METRICS_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "metrics/metrics.h"

namespace rls {

// What came of a call for one user's tier, or why there was none.
enum class LookupResult {
  kOk,
  kNotFound,     // 404, or a reply that says so: no tier
  kTimeout,      // no reply in time
  kUnreachable,  // no connection, TLS, a broken reply, an unreadable header
                 // file
  kHttpStatus,   // any status but 200 and 404
  kTooLarge,     // a reply beyond kMaxReplyBytes
  kMalformed,    // a reply that names no tier
  kRefused,      // not called: a user that is never sent
  kBusy,         // not called: too many calls under way
  kPaused,       // not called: the source has failed too often in a row
};
inline constexpr size_t kLookupResults = 10;

// Where the tier of a decision came from.
enum class AnsweredFrom {
  kCache,
  kSource,     // the decision has waited for it
  kLastKnown,  // expired, as the source could not be asked
  kNowhere,    // the static assignment or the default tier
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
  void ObserveCall(absl::Duration took) {
    seconds_.Observe(absl::ToDoubleSeconds(took));
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
