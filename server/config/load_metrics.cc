#include "config/load_metrics.h"

namespace rls {
namespace {

Counter& LoadCounter(Metrics& metrics, const char* result) {
  return metrics.GetCounter({.name = "ratelimitd_config_loads_total",
                             .help = "Loads of the configuration by result",
                             .labels = {{"result", result}}});
}

}  // namespace

LoadMetrics::LoadMetrics(Metrics& metrics)
    : metrics_(metrics),
      successes_(LoadCounter(metrics, "success")),
      failures_(LoadCounter(metrics, "failure")),
      last_success_(metrics.GetGauge(
          {.name = "ratelimitd_config_last_success_timestamp_seconds",
           .help = "When the configuration was last loaded without error"})) {}

void LoadMetrics::Succeeded(absl::Time now) {
  successes_.Add(1);
  last_success_.Set(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
}

void LoadMetrics::SetActive(const std::string& hash) {
  if (active_hash_ == hash) return;
  if (!active_hash_.empty()) HashGauge(active_hash_).Set(0);
  HashGauge(hash).Set(1);
  active_hash_ = hash;
}

Gauge& LoadMetrics::HashGauge(const std::string& hash) const {
  return metrics_.GetGauge(
      {.name = "ratelimitd_config_info",
       .help = "1 for the hash of the configuration that is active",
       .labels = {{"hash", hash}}});
}

}  // namespace rls
