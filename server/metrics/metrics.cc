#include "metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/text.h"
#include "base/thread_shard.h"

namespace rls {
namespace {

// Counts go into the calling thread's shard. Collect() adds the shards to the
// metric of prometheus-cpp.

class PromCounter final : public Counter {
 public:
  explicit PromCounter(prometheus::Counter& counter)
      : counter_(counter), shards_(ShardCount()) {}

  void Add(double amount) override {
    shards_[ShardOfThisThread()].amount.fetch_add(amount,
                                                  std::memory_order_relaxed);
  }

  // Threads: one at a time.
  void Collect() {
    for (Shard& shard : shards_) counter_.Increment(shard.amount.exchange(0));
  }

 private:
  struct alignas(kCacheLine) Shard {
    std::atomic<double> amount{0};
  };

  prometheus::Counter& counter_;
  std::vector<Shard> shards_;
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
  PromHistogram(prometheus::Histogram& histogram, std::vector<double> bounds)
      : histogram_(histogram), bounds_(std::move(bounds)) {
    for (size_t i = 0; i < ShardCount(); ++i) {
      shards_.push_back(std::make_unique<Shard>(bounds_.size() + 1));
    }
  }

  void Observe(double value) override {
    Shard& shard = *shards_[ShardOfThisThread()];
    const auto bucket =
        std::lower_bound(bounds_.begin(), bounds_.end(), value) -
        bounds_.begin();
    shard.Bucket(static_cast<size_t>(bucket))
        .fetch_add(1, std::memory_order_relaxed);
    shard.sum.fetch_add(value, std::memory_order_relaxed);
  }

  // Threads: one at a time.
  void Collect() {
    for (const auto& shard : shards_) {
      std::vector<double> counts;
      for (size_t i = 0; i <= bounds_.size(); ++i) {
        counts.push_back(static_cast<double>(shard->Bucket(i).exchange(0)));
      }
      histogram_.ObserveMultiple(counts, shard->sum.exchange(0));
    }
  }

 private:
  struct alignas(kCacheLine) Line {
    static constexpr size_t kBuckets = kCacheLine / sizeof(uint64_t);
    std::array<std::atomic<uint64_t>, kBuckets> buckets = {};
  };
  struct alignas(kCacheLine) Shard {
    explicit Shard(size_t buckets)
        : lines((buckets + Line::kBuckets - 1) / Line::kBuckets) {}
    std::atomic<uint64_t>& Bucket(size_t i) {
      return lines[i / Line::kBuckets].buckets[i % Line::kBuckets];
    }
    std::atomic<double> sum{0};
    std::vector<Line> lines;
  };

  prometheus::Histogram& histogram_;
  const std::vector<double> bounds_;
  std::vector<std::unique_ptr<Shard>> shards_;
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
  std::string name;
  prometheus::Family<PromType>* family = nullptr;
  absl::flat_hash_map<std::string, std::unique_ptr<Handle>> series;
  std::unique_ptr<Handle> overflow;
  prometheus::Counter* unnamed = nullptr;  // null without `overflow`

  template <typename Builder>
  void Register(Builder builder, const MetricId& id,
                prometheus::Registry& registry) {
    if (family != nullptr) return;
    name = std::string(id.name);
    family = &builder.Name(std::string(id.name))
                  .Help(std::string(id.help))
                  .Register(registry);
  }

  template <typename... Args>
  Handle& Get(const Labels& labels,
              prometheus::Family<prometheus::Counter>& all_unnamed,
              const Args&... args) {
    const std::string key = SeriesName(labels);
    if (const auto it = series.find(key); it != series.end()) {
      return *it->second;
    }
    if (series.size() < kMaxSeriesPerName) {
      auto& made = series[key];
      made = std::make_unique<Handle>(family->Add(Cleaned(labels), args...),
                                      args...);
      return *made;
    }
    if (overflow == nullptr) {
      overflow = std::make_unique<Handle>(
          family->Add(Overflowed(labels), args...), args...);
      unnamed = &all_unnamed.Add({{"metric", name}});
    }
    unnamed->Increment();
    return *overflow;
  }

  void Collect() {
    for (const auto& [unused, handle] : series) handle->Collect();
    if (overflow != nullptr) overflow->Collect();
  }
};

class MetricsImpl final : public Metrics {
 public:
  explicit MetricsImpl(std::unique_ptr<Statistics> statistics)
      : statistics_(std::move(statistics)),
        unnamed_(prometheus::BuildCounter()
                     .Name("ratelimitd_metrics_unnamed_label_sets_total")
                     .Help("Label sets that share the series \"other\", "
                           "because their metric has its maximum of series; "
                           "a load of the configuration counts them again")
                     .Register(registry_)) {}

  Counter& GetCounter(const MetricId& id) override {
    MutexLock lock(&mutex_);
    auto& family = counters_[id.name];
    family.Register(prometheus::BuildCounter(), id, registry_);
    return family.Get(id.labels, unnamed_);
  }

  Gauge& GetGauge(const MetricId& id) override {
    MutexLock lock(&mutex_);
    auto& family = gauges_[id.name];
    family.Register(prometheus::BuildGauge(), id, registry_);
    return family.Get(id.labels, unnamed_);
  }

  Histogram& GetHistogram(const MetricId& id,
                          std::vector<double> bounds) override {
    MutexLock lock(&mutex_);
    auto& family = histograms_[id.name];
    family.Register(prometheus::BuildHistogram(), id, registry_);
    return family.Get(id.labels, unnamed_, bounds);
  }

  std::string Text() override {
    MutexLock lock(&mutex_);
    for (auto& [unused, family] : counters_) family.Collect();
    for (auto& [unused, family] : histograms_) family.Collect();
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

  Statistics* statistics() override { return statistics_.get(); }

 private:
  const std::unique_ptr<Statistics> statistics_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& unnamed_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Family<prometheus::Counter, PromCounter>>
      counters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Family<prometheus::Gauge, PromGauge>> gauges_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Family<prometheus::Histogram, PromHistogram>>
      histograms_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Metrics> NewMetrics(std::unique_ptr<Statistics> statistics) {
  return std::make_unique<MetricsImpl>(std::move(statistics));
}

}  // namespace rls
