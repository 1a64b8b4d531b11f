#ifndef RLS_METRICS_METRICS_H_
#define RLS_METRICS_METRICS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace rls {

// Typed handles for what the process counts, and the Prometheus text of all.
//
// Threads: every handle and every method may be used by many threads at once.
// Lifetime: handles belong to their Metrics and live as long as it does.

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

// Distinct label sets of one name; beyond this, new ones share one series whose
// label values are all "other", so that no traffic or config can grow the
// exposition without bound.
inline constexpr int kMaxSeriesPerName = 2000;

class Metrics {
 public:
  virtual ~Metrics() = default;

  // The handle for a name and label set; the same one each time it is asked.
  // Label values may hold any bytes: invalid UTF-8 is escaped. One name has one
  // kind and one set of label names (a broken invariant is a CHECK failure).
  virtual Counter& GetCounter(const MetricId& id) = 0;
  virtual Gauge& GetGauge(const MetricId& id) = 0;
  virtual Histogram& GetHistogram(const MetricId& id,
                                  std::vector<double> bounds) = 0;

  // Prometheus text exposition format, version 0.0.4.
  virtual std::string Text() = 0;
};

std::unique_ptr<Metrics> NewMetrics();

}  // namespace rls

#endif  // RLS_METRICS_METRICS_H_
