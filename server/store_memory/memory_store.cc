#include "store_memory/memory_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "limit/judge.h"
#include "store_memory/counter_table.h"
#include "store_memory/working_set.h"

namespace rls {
namespace {

constexpr size_t kShards = 256;
// Each new counter pays for looking at this many old ones, so that expired
// counters go at least as fast as new ones come.
constexpr size_t kSweepSteps = 4;
// When the store is full, a charge that needs a new counter looks for an
// expired one in its own shard and in some others: enough to find one soon, too
// few to be worth an attack.
constexpr size_t kFullSweepSteps = 256;
constexpr size_t kFullSweepShards = 16;

struct alignas(64) Shard {
  Mutex mutex;
  CounterTable table ABSL_GUARDED_BY(mutex);
};

uint32_t ToSeconds(int64_t ns) {
  return static_cast<uint32_t>(
      std::clamp<int64_t>(ns / 1'000'000'000, 1, UINT32_MAX));
}

// Rounded up, so that a live counter is never taken for an expired one.
uint32_t ExpirySeconds(absl::Time expiry) {
  return ToSeconds(
      absl::ToUnixNanos(std::min(expiry, absl::FromUnixSeconds(UINT32_MAX)) +
                        absl::Nanoseconds(999'999'999)));
}

class MemoryStoreImpl final : public MemoryStore {
 public:
  MemoryStoreImpl(const Clock& clock, const MemoryStoreOptions& options)
      : clock_(clock), options_(options) {}

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    const absl::Time now = clock_.Now();
    if (now >= deadline) {
      done(absl::DeadlineExceededError("the deadline has passed"));
      return;
    }
    WorkingSet take;
    take.outcomes.resize(charges.size());
    for (const Charge& charge : charges) AddCounter(charge, take);
    const bool made = take.counters.size() == 1
                          ? TakeOne(charges, accounting, now, take)
                          : TakeSeveral(charges, accounting, now, take);
    if (made) {
      done(absl::MakeConstSpan(take.outcomes));
    } else {
      done(absl::ResourceExhaustedError("the memory store is full"));
    }
  }

  size_t size() const override { return size_.load(); }

 private:
  Shard& ShardOf(const Working& counter) {
    return shards_[counter.key.low % kShards];
  }

  void AddCounter(const Charge& charge, WorkingSet& take) const {
    const Hash128 key = HashKey(options_.seed, charge.key);
    size_t index = 0;
    while (index < take.counters.size() && !(take.counters[index].key == key)) {
      ++index;
    }
    take.counter_of.push_back(index);
    if (index < take.counters.size()) return;
    take.counters.push_back({.key = key, .policy = charge.policy});
  }

  bool TakeOne(absl::Span<const Charge> charges, Accounting accounting,
               absl::Time now, WorkingSet& take) {
    Shard& shard = ShardOf(take.counters[0]);
    MutexLock lock(&shard.mutex);
    Load(shard.table, now, take.counters[0]);
    JudgeAll(charges, accounting, now, take);
    if (!Reserve(shard.table, now, take.counters[0])) return false;
    Store(shard.table, take.counters[0]);
    return true;
  }

  // Locks every shard involved, in ascending order, so that two Takes never
  // wait for each other. The analysis cannot follow a set of locks.
  bool TakeSeveral(absl::Span<const Charge> charges, Accounting accounting,
                   absl::Time now,
                   WorkingSet& take) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    std::bitset<kShards> involved;
    for (const Working& counter : take.counters) {
      involved.set(counter.key.low % kShards);
    }
    for (size_t i = 0; i < kShards; ++i) {
      if (involved.test(i)) shards_[i].mutex.Lock();
    }
    for (Working& counter : take.counters) {
      Load(ShardOf(counter).table, now, counter);
    }
    JudgeAll(charges, accounting, now, take);
    const bool made = ReserveAll(now, take);
    for (Working& counter : take.counters) {
      if (made) Store(ShardOf(counter).table, counter);
    }
    for (size_t i = 0; i < kShards; ++i) {
      if (involved.test(i)) shards_[i].mutex.Unlock();
    }
    return made;
  }

  static void Load(CounterTable& table, absl::Time now, Working& counter) {
    const CounterTable::Counter* held = table.Find(counter.key);
    if (held == nullptr || Expiry(*counter.policy, held->state) <= now) return;
    counter.before = held->state;
    counter.state = held->state;
  }

  // Makes sure that the table has a place for the counter if it needs one.
  bool Reserve(CounterTable& table, absl::Time now, Working& counter) {
    if (counter.state == CounterState{}) return true;
    if (table.Find(counter.key) != nullptr) return true;
    const uint32_t now_s = ToSeconds(absl::ToUnixNanos(now));
    size_ -= table.Sweep(now_s, kSweepSteps);
    if (size_.fetch_add(1) < options_.max_counters) {
      counter.reserved = true;
      return true;
    }
    --size_;
    size_ -= table.Sweep(now_s, kFullSweepSteps);
    if (size_.load() >= options_.max_counters) SweepOthers(now_s);
    if (size_.fetch_add(1) < options_.max_counters) {
      counter.reserved = true;
      return true;
    }
    --size_;
    return false;
  }

  // Only shards that nobody holds: the caller holds some already.
  void SweepOthers(uint32_t now_s) {
    for (size_t i = 0; i < kFullSweepShards; ++i) {
      Shard& shard = shards_[next_swept_.fetch_add(1) % kShards];
      if (!shard.mutex.TryLock()) continue;
      size_ -= shard.table.Sweep(now_s, kFullSweepSteps);
      shard.mutex.Unlock();
    }
  }

  bool ReserveAll(absl::Time now,
                  WorkingSet& take) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (Working& counter : take.counters) {
      if (Reserve(ShardOf(counter).table, now, counter)) continue;
      for (const Working& other : take.counters) size_ -= other.reserved;
      return false;
    }
    return true;
  }

  void Store(CounterTable& table, const Working& counter) {
    if (counter.state == counter.before) return;
    // Looked up anew: a sweep for a sibling may have dropped it as expired.
    CounterTable::Counter* held = table.Find(counter.key);
    if (held == nullptr) {
      if (!counter.reserved) ++size_;
      held = &table.Insert(counter.key);
    }
    held->state = counter.state;
    held->expires_s = ExpirySeconds(Expiry(*counter.policy, counter.state));
  }

  const Clock& clock_;
  const MemoryStoreOptions options_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> size_{0};
  std::atomic<size_t> next_swept_{0};
};

}  // namespace

std::unique_ptr<MemoryStore> NewMemoryStore(const Clock& clock,
                                            const MemoryStoreOptions& options) {
  return std::make_unique<MemoryStoreImpl>(clock, options);
}

}  // namespace rls
