#ifndef RLS_APP_STATS_SETTINGS_H_
#define RLS_APP_STATS_SETTINGS_H_

#include <optional>

#include "admin/admin_server.h"
#include "metrics/statistics.h"
#include "statsd/statsd_sender.h"

namespace rls {

class EnvironmentReader;

// The statistics of envoyproxy/ratelimit, with its environment variables.
struct StatsSettings {
  std::optional<PrometheusOptions> prometheus;  // USE_PROMETHEUS
  std::optional<StatsdOptions> statsd;          // USE_STATSD, USE_DOG_STATSD
  StatisticsOptions options;

  // Without a sink nothing is counted.
  bool is_on() const { return prometheus.has_value() || statsd.has_value(); }
};

// The reader keeps the first error, and a warning for each setting that has no
// effect.
StatsSettings ReadStatsSettings(EnvironmentReader& reader);

}  // namespace rls

#endif  // RLS_APP_STATS_SETTINGS_H_
