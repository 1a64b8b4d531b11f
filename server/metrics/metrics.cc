#include "metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/text.h"

namespace rls {
namespace {

class PromCounter final : public Counter {
 public:
  explicit PromCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Add(double amount) override { counter_.Increment(amount); }

 private:
  prometheus::Counter& counter_;
};

class PromGauge final : public Gauge {
 public:
  explicit PromGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }

 private:
  prometheus::Gauge& gauge_;
};

class PromHistogram final : public Histogram {
 public:
  explicit PromHistogram(prometheus::Histogram& histogram)
      : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

using LabelMap = std::map<std::string, std::string>;

LabelMap Cleaned(const Labels& labels) {
  LabelMap cleaned;
  for (const auto& [name, value] : labels) {
    cleaned[name] = EscapeControls(value);
  }
  return cleaned;
}

LabelMap Overflowed(const Labels& labels) {
  LabelMap overflowed;
  for (const auto& [name, unused] : labels) overflowed[name] = "other";
  return overflowed;
}

std::string SeriesName(const Labels& labels) {
  std::string name;
  for (const auto& [label, value] : labels) {
    absl::StrAppend(&name, label.size(), ":", label, value.size(), ":", value);
  }
  return name;
}

// All series of one metric name.
template <typename PromType, typename Handle>
struct Family {
  prometheus::Family<PromType>* family = nullptr;
  absl::flat_hash_map<std::string, std::unique_ptr<Handle>> series;
  std::unique_ptr<Handle> overflow;

  template <typename Builder>
  void Register(Builder builder, const MetricId& id,
                prometheus::Registry& registry) {
    if (family != nullptr) return;
    family = &builder.Name(std::string(id.name))
                  .Help(std::string(id.help))
                  .Register(registry);
  }

  template <typename... Args>
  Handle& Get(const Labels& labels, const Args&... args) {
    const std::string name = SeriesName(labels);
    if (const auto it = series.find(name); it != series.end()) {
      return *it->second;
    }
    if (series.size() < kMaxSeriesPerName) {
      auto& made = series[name];
      made = std::make_unique<Handle>(family->Add(Cleaned(labels), args...));
      return *made;
    }
    if (overflow == nullptr) {
      overflow =
          std::make_unique<Handle>(family->Add(Overflowed(labels), args...));
    }
    return *overflow;
  }
};

class MetricsImpl final : public Metrics {
 public:
  Counter& GetCounter(const MetricId& id) override {
    MutexLock lock(&mutex_);
    auto& family = counters_[id.name];
    family.Register(prometheus::BuildCounter(), id, registry_);
    return family.Get(id.labels);
  }

  Gauge& GetGauge(const MetricId& id) override {
    MutexLock lock(&mutex_);
    auto& family = gauges_[id.name];
    family.Register(prometheus::BuildGauge(), id, registry_);
    return family.Get(id.labels);
  }

  Histogram& GetHistogram(const MetricId& id,
                          std::vector<double> bounds) override {
    MutexLock lock(&mutex_);
    auto& family = histograms_[id.name];
    family.Register(prometheus::BuildHistogram(), id, registry_);
    return family.Get(id.labels, bounds);
  }

  std::string Text() const override {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  prometheus::Registry registry_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Family<prometheus::Counter, PromCounter>>
      counters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Family<prometheus::Gauge, PromGauge>> gauges_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Family<prometheus::Histogram, PromHistogram>>
      histograms_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Metrics> NewMetrics() {
  return std::make_unique<MetricsImpl>();
}

}  // namespace rls
