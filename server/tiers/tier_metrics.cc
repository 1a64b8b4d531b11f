#include "tiers/tier_metrics.h"

namespace rls {
namespace {

constexpr std::array<const char*, kLookupResults> kResultWords = {
    "ok",        "not_found", "timeout", "unreachable", "http_status",
    "too_large", "malformed", "refused", "busy",        "paused"};

constexpr std::array<const char*, kAnsweredFrom> kFromWords = {
    "cache", "source", "last_known", "nowhere"};

}  // namespace

TierMetrics::TierMetrics(Metrics& metrics, const std::string& domain)
    : seconds_(metrics.GetHistogram(
          {.name = "ratelimitd_tier_lookup_seconds",
           .help = "Duration of a request to the tier source",
           .labels = {{"domain", domain}}},
          {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
           10})),
      cached_(metrics.GetGauge({.name = "ratelimitd_tier_cached",
                                .help = "Users whose tier is cached",
                                .labels = {{"domain", domain}}})) {
  for (size_t i = 0; i < kLookupResults; ++i) {
    lookups_[i] = &metrics.GetCounter(
        {.name = "ratelimitd_tier_lookups_total",
         .help = "Lookups of a user's tier by result",
         .labels = {{"domain", domain}, {"result", kResultWords[i]}}});
  }
  for (size_t i = 0; i < kAnsweredFrom; ++i) {
    answers_[i] = &metrics.GetCounter(
        {.name = "ratelimitd_tier_answers_total",
         .help = "Decisions for users of the tier source, by where the tier "
                 "came from",
         .labels = {{"domain", domain}, {"from", kFromWords[i]}}});
  }
}

}  // namespace rls
