#ifndef RLS_APP_STATS_SETTINGS_H_
#define RLS_APP_STATS_SETTINGS_H_

#include <optional>
#include <string>

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
  // For LogStatsSettings():
  std::string mapper_file;      // PROMETHEUS_MAPPER_YAML
  bool has_mogrifiers = false;  // USE_DOG_STATSD_MOGRIFIERS

  // Without a sink nothing is counted.
  bool is_on() const { return prometheus.has_value() || statsd.has_value(); }
};

// The reader keeps the first error.
StatsSettings ReadStatsSettings(EnvironmentReader& reader);

// Logs the settings that have no effect, one line each. A mapper file that does
// not exist is as none.
void LogStatsSettings(const StatsSettings& settings);

}  // namespace rls

#endif  // RLS_APP_STATS_SETTINGS_H_
