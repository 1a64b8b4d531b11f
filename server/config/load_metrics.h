#ifndef RLS_CONFIG_LOAD_METRICS_H_
#define RLS_CONFIG_LOAD_METRICS_H_

#include <string>

#include "absl/time/time.h"
#include "metrics/metrics.h"

namespace rls {

// What the metrics tell of the configuration.
//
// Threads: one at a time.
class LoadMetrics {
 public:
  explicit LoadMetrics(Metrics& metrics);

  void Succeeded(absl::Time now);
  void Failed() { failures_.Add(1); }

  // `hash` tells the contents that are active from all others.
  void SetActive(const std::string& hash);

 private:
  Gauge& HashGauge(const std::string& hash) const;

  Metrics& metrics_;
  Counter& successes_;
  Counter& failures_;
  Gauge& last_success_;
  std::string active_hash_;
};

}  // namespace rls

#endif  // RLS_CONFIG_LOAD_METRICS_H_
