#ifndef RLS_METRICS_METRICS_H_
#define RLS_METRICS_METRICS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "metrics/statistics.h"

namespace rls {

// The metrics of the process: a typed handle for each, and the Prometheus text
// of all.
//
// Threads: every handle and every method may be used by many threads at once.
// Lifetime: a Metrics object owns its handles.

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(double amount) = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

struct MetricId {
  absl::string_view name;  // [a-zA-Z_:][a-zA-Z0-9_:]*
  absl::string_view help;
  Labels labels = {};
};

// The maximum number of label sets of one name. Further label sets share one
// series, in which every label has the value "other", so that neither traffic
// nor a configuration can grow the exposition without bound. The metric
// ratelimitd_metrics_unnamed_label_sets_total counts them.
inline constexpr int kMaxSeriesPerName = 2000;

class Metrics {
 public:
  virtual ~Metrics() = default;

  // The handle of a name and label set; always the same handle for the same
  // set. Label values may have any bytes: control characters and invalid UTF-8
  // are escaped. All series of one name have the same kind and the same label
  // names; otherwise the process ends.
  virtual Counter& GetCounter(const MetricId& id) = 0;
  virtual Gauge& GetGauge(const MetricId& id) = 0;
  virtual Histogram& GetHistogram(const MetricId& id,
                                  std::vector<double> bounds) = 0;

  // Prometheus text exposition format, version 0.0.4.
  virtual std::string Text() = 0;

  // The statistics of envoyproxy/ratelimit. Null if they are off: then nothing
  // counts them. The same for the lifetime of the metrics.
  virtual Statistics* statistics() { return nullptr; }
};

// Null `statistics`: they are off.
std::unique_ptr<Metrics> NewMetrics(
    std::unique_ptr<Statistics> statistics = nullptr);

}  // namespace rls

#endif  // RLS_METRICS_METRICS_H_
