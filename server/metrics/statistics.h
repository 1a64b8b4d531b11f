#ifndef RLS_METRICS_STATISTICS_H_
#define RLS_METRICS_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace rls {

// The statistics of envoyproxy/ratelimit: hits by the path of a limit, and a
// few counters of the service. StatsD, the Prometheus port and /stats show
// them. They only exist if one of the sinks is on (metrics/metrics.h).
//
// Threads: every method of every class may be called by many threads at once.

// The counters of one path. The names are in kHitNames.
enum class Hit : size_t {
  kTotal,
  kOver,          // the part of a charge that is beyond the limit
  kNear,          // the part above the near limit and up to the limit
  kWithin,        // of charges that were allowed
  kOverInMemory,  // refused without a call to Redis; also in kOver
  kShadow,        // the part beyond the limit that shadow mode let pass
};
inline constexpr size_t kHitKinds = 6;
inline constexpr std::array<absl::string_view, kHitKinds> kHitNames = {
    "total_hits",
    "over_limit",
    "near_limit",
    "within_limit",
    "over_limit_with_local_cache",
    "shadow_mode"};

// By Hit.
using HitCounts = std::array<uint64_t, kHitKinds>;
inline uint64_t& At(HitCounts& counts, Hit kind) {
  return counts[static_cast<size_t>(kind)];
}

// The hits of one path.
class HitStatistics {
 public:
  virtual ~HitStatistics() = default;
  virtual void Add(const HitCounts& counts) = 0;
};

// The counters of the service.
enum class ServiceCount : size_t {
  kConfigLoadSuccess,
  kConfigLoadError,
  kGlobalShadowMode,
  kServiceError,  // bad requests, and requests before the first configuration
  kRedisError,
};
inline constexpr size_t kServiceCounts = 5;

// The bounds of the buckets of the response time, in seconds. They include
// those of envoyproxy/ratelimit.
inline constexpr std::array<double, 15> kResponseTimeBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05,   0.1,     0.25,   0.5,   1,      2.5,   5};

// The bounds of the tables. The first two count paths: a path of a limit comes
// from the configuration, a path of a value from requests (detailed_metric,
// value_to_metric, limit overrides).
inline constexpr size_t kMaxLimitPaths = 10'000;
inline constexpr size_t kMaxValuePaths = 10'000;
// Of the names of all these paths. Each appears in up to six statistics, and a
// byte of a value may be shown as four.
inline constexpr size_t kMaxValuePathBytes = 2 << 20;
inline constexpr size_t kMaxUnknownDomains = 1'000;
inline constexpr size_t kMaxPathBytes = 1024;  // a longer one is not kept

// The sums since the start, sorted by path.
struct StatisticsSnapshot {
  // The domain, then the names of the levels. Control characters are escaped,
  // `:`, `|` and the dots of IPv4 addresses are `_`, as in
  // envoyproxy/ratelimit.
  using Path = std::vector<std::string>;
  std::map<Path, HitCounts> hits;  // without paths that have no hits
  std::array<uint64_t, kServiceCounts> service = {};
  std::map<std::string, uint64_t> unknown_domains;  // requests
  // One for each bound, and one for longer times.
  std::array<uint64_t, kResponseTimeBounds.size() + 1> response_times = {};
  double response_seconds = 0;  // the sum
  // Hits, and requests of unknown domains, for whose name a table had no place.
  uint64_t unnamed = 0;
};

class Statistics {
 public:
  virtual ~Statistics() = default;

  // Hits above this share of a limit are near it.
  virtual float near_limit_ratio() const = 0;

  // The hits of a limit: `path` is its domain and the names of its levels. The
  // same path has the same counters, also after a reload. If the table is full,
  // paths without an owner are forgotten; if that does not help, the result is
  // that of all unnamed limits.
  virtual std::shared_ptr<HitStatistics> OfLimit(
      const std::vector<std::string>& path) = 0;

  // The hits of a path with values of a request, which AppendLevel() has made.
  // Null if the table is full or the path is too long.
  // Lifetime: as long as the statistics.
  virtual HitStatistics* OfValues(absl::string_view path) = 0;
  static void AppendLevel(absl::string_view name, std::string& path) {
    path.append(name.data(), name.size());
    path.push_back('\0');
  }

  // All hits without a name.
  virtual HitStatistics& unnamed() = 0;

  virtual void Count(ServiceCount kind) = 0;
  virtual void CountUnknownDomain(absl::string_view domain) = 0;
  // A ShouldRateLimit call that took this long.
  virtual void CountResponse(absl::Duration took) = 0;

  virtual StatisticsSnapshot Read() = 0;
};

struct StatisticsOptions {
  float near_limit_ratio = 0.8F;
};

std::unique_ptr<Statistics> NewStatistics(const StatisticsOptions& options);

}  // namespace rls

#endif  // RLS_METRICS_STATISTICS_H_
