#include "metrics/statistics.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/mutex.h"
#include "base/thread_shard.h"
#include "metrics/statistic_name.h"

namespace rls {
namespace {

using Path = StatisticsSnapshot::Path;

// Counters in one cache line for each thread that serves requests.
template <size_t kSize>
class ShardedCounts {
  static_assert(kSize * sizeof(uint64_t) <= kCacheLine);

 public:
  ShardedCounts() : shards_(ShardCount()) {}

  void Add(size_t index, uint64_t amount) {
    shards_[ShardOfThisThread()].counts[index].fetch_add(
        amount, std::memory_order_relaxed);
  }

  std::array<uint64_t, kSize> Read() const {
    std::array<uint64_t, kSize> sums = {};
    for (const Shard& shard : shards_) {
      for (size_t i = 0; i < kSize; ++i) {
        sums[i] += shard.counts[i].load(std::memory_order_relaxed);
      }
    }
    return sums;
  }

 private:
  struct alignas(kCacheLine) Shard {
    std::array<std::atomic<uint64_t>, kSize> counts = {};
  };
  std::vector<Shard> shards_;
};

class Hits final : public HitStatistics {
 public:
  explicit Hits(Path path) : path_(std::move(path)) {}

  void Add(const HitCounts& counts) override {
    for (size_t i = 0; i < kHitKinds; ++i) {
      if (counts[i] > 0) counts_.Add(i, counts[i]);
    }
  }

  // Adds itself to `hits`, unless it is 0.
  void AddTo(std::map<Path, HitCounts>& hits) const {
    const HitCounts counts = counts_.Read();
    if (counts == HitCounts{}) return;
    HitCounts& sums = hits[path_];
    for (size_t i = 0; i < kHitKinds; ++i) sums[i] += counts[i];
  }

  uint64_t total() const {
    return counts_.Read()[static_cast<size_t>(Hit::kTotal)];
  }

 private:
  const Path path_;
  ShardedCounts<kHitKinds> counts_;
};

// The times of all responses. A shard is written by one thread, usually.
class ResponseTimes {
 public:
  ResponseTimes() : shards_(ShardCount()) {}

  void Add(double seconds) {
    Shard& shard = shards_[ShardOfThisThread()];
    const auto bucket = std::lower_bound(kResponseTimeBounds.begin(),
                                         kResponseTimeBounds.end(), seconds) -
                        kResponseTimeBounds.begin();
    shard.buckets[static_cast<size_t>(bucket)].fetch_add(
        1, std::memory_order_relaxed);
    shard.sum.fetch_add(seconds, std::memory_order_relaxed);
  }

  void ReadInto(StatisticsSnapshot& snapshot) const {
    for (const Shard& shard : shards_) {
      for (size_t i = 0; i < snapshot.response_times.size(); ++i) {
        snapshot.response_times[i] +=
            shard.buckets[i].load(std::memory_order_relaxed);
      }
      snapshot.response_seconds += shard.sum.load(std::memory_order_relaxed);
    }
  }

 private:
  struct alignas(kCacheLine) Shard {
    std::array<std::atomic<uint64_t>, kResponseTimeBounds.size() + 1> buckets =
        {};
    std::atomic<double> sum{0};
  };
  std::vector<Shard> shards_;
};

// The paths of limits.
class LimitPaths {
 public:
  std::shared_ptr<HitStatistics> Find(const Path& path) {
    const std::string key = absl::StrJoin(path, absl::string_view("\0", 1));
    if (key.size() > kMaxPathBytes) return nullptr;
    const MutexLock lock(&mutex_);
    if (const auto it = hits_.find(key); it != hits_.end()) return it->second;
    if (hits_.size() >= kMaxLimitPaths) Shrink();
    if (hits_.size() >= kMaxLimitPaths) return nullptr;
    Path shown;
    for (const std::string& level : path) shown.push_back(StatisticName(level));
    return hits_[key] = std::make_shared<Hits>(std::move(shown));
  }

  void ReadInto(StatisticsSnapshot& snapshot) {
    const MutexLock lock(&mutex_);
    for (const auto& [key, hits] : hits_) hits->AddTo(snapshot.hits);
  }

 private:
  // Forgets the paths of limits that no configuration has any longer.
  void Shrink() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::erase_if(
        hits_, [](const auto& item) { return item.second.use_count() == 1; });
  }

  Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<Hits>> hits_
      ABSL_GUARDED_BY(mutex_);
};

// The paths with values of requests. They are never forgotten.
class ValuePaths {
 public:
  HitStatistics* Find(absl::string_view path) {
    if (path.empty() || path.size() > kMaxPathBytes) return nullptr;
    Stripe& stripe = stripes_[absl::Hash<absl::string_view>()(path) % kStripes];
    const MutexLock lock(&stripe.mutex);
    if (const auto it = stripe.hits.find(path); it != stripe.hits.end()) {
      return it->second.get();
    }
    if (stripe.hits.size() >= kMaxValuePaths / kStripes ||
        stripe.name_bytes >= kMaxValuePathBytes / kStripes) {
      return nullptr;
    }
    Path shown;
    path.remove_suffix(1);  // the end of the last level
    for (const absl::string_view level : absl::StrSplit(path, '\0')) {
      stripe.name_bytes += shown.emplace_back(StatisticName(level)).size();
    }
    auto& made = stripe.hits[std::string(path) + '\0'];
    made = std::make_unique<Hits>(std::move(shown));
    return made.get();
  }

  void ReadInto(StatisticsSnapshot& snapshot) {
    for (Stripe& stripe : stripes_) {
      const MutexLock lock(&stripe.mutex);
      for (const auto& [path, hits] : stripe.hits) hits->AddTo(snapshot.hits);
    }
  }

 private:
  static constexpr size_t kStripes = 16;
  struct alignas(kCacheLine) Stripe {
    Mutex mutex;
    absl::flat_hash_map<std::string, std::unique_ptr<Hits>> hits
        ABSL_GUARDED_BY(mutex);
    size_t name_bytes ABSL_GUARDED_BY(mutex) = 0;  // of all names in `hits`
  };
  std::array<Stripe, kStripes> stripes_;
};

class StatisticsImpl final : public Statistics {
 public:
  explicit StatisticsImpl(const StatisticsOptions& options)
      : near_limit_ratio_(options.near_limit_ratio),
        unnamed_(std::make_shared<Hits>(Path())) {}

  float near_limit_ratio() const override { return near_limit_ratio_; }

  std::shared_ptr<HitStatistics> OfLimit(
      const std::vector<std::string>& path) override {
    std::shared_ptr<HitStatistics> hits = limits_.Find(path);
    if (hits == nullptr) return unnamed_;
    return hits;
  }
  HitStatistics* OfValues(absl::string_view path) override {
    return values_.Find(path);
  }
  HitStatistics& unnamed() override { return *unnamed_; }

  void Count(ServiceCount kind) override {
    service_.Add(static_cast<size_t>(kind), 1);
  }

  void CountUnknownDomain(absl::string_view domain) override {
    const MutexLock lock(&domains_mutex_);
    auto it = unknown_domains_.find(domain);
    if (it == unknown_domains_.end() && domain.size() <= kMaxPathBytes &&
        unknown_domains_.size() < kMaxUnknownDomains) {
      it = unknown_domains_.emplace(domain, 0).first;
    }
    ++(it == unknown_domains_.end() ? unnamed_domains_ : it->second);
  }

  void CountResponse(absl::Duration took) override {
    response_times_.Add(absl::ToDoubleSeconds(took));
  }

  StatisticsSnapshot Read() override {
    StatisticsSnapshot snapshot;
    limits_.ReadInto(snapshot);
    values_.ReadInto(snapshot);
    response_times_.ReadInto(snapshot);
    snapshot.service = service_.Read();
    snapshot.unnamed = unnamed_->total();
    const MutexLock lock(&domains_mutex_);
    for (const auto& [domain, count] : unknown_domains_) {
      snapshot.unknown_domains[StatisticName(domain)] += count;
    }
    snapshot.unnamed += unnamed_domains_;
    return snapshot;
  }

 private:
  const float near_limit_ratio_;
  const std::shared_ptr<Hits> unnamed_;
  LimitPaths limits_;
  ValuePaths values_;
  ShardedCounts<kServiceCounts> service_;
  ResponseTimes response_times_;

  Mutex domains_mutex_;
  absl::flat_hash_map<std::string, uint64_t> unknown_domains_
      ABSL_GUARDED_BY(domains_mutex_);
  uint64_t unnamed_domains_ ABSL_GUARDED_BY(domains_mutex_) = 0;
};

}  // namespace

std::unique_ptr<Statistics> NewStatistics(const StatisticsOptions& options) {
  return std::make_unique<StatisticsImpl>(options);
}

}  // namespace rls
