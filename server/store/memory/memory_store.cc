#include "store/memory/memory_store.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "limit/judge.h"
#include "store/judge_all.h"
#include "store/memory/counter_table.h"

namespace rls {
namespace {

constexpr size_t kShards = 256;
// For each new counter the store visits this many buckets, so that it drops
// expired counters at least as fast as it adds new ones.
constexpr size_t kSweepSteps = 4;
// A full store visits this many buckets at a time until it has dropped some
// counter. To sweep a whole shard at once would hold its lock for too long.
constexpr size_t kFullSweepSteps = 1024;

struct alignas(64) Shard {
  Mutex mutex;
  // The latest time of a take, unless the clock was set back since. Beside the
  // mutex, because every take reads both.
  uint32_t latest_s ABSL_GUARDED_BY(mutex) = 0;
  CounterTable table ABSL_GUARDED_BY(mutex);
  // No counter of this shard expires earlier. Written under the lock. A full
  // store skips shards in which no counter has expired.
  std::atomic<uint32_t> earliest_s{UINT32_MAX};
};

// One counter of a take; charges of the same counter share it.
struct Working {
  Hash128 key;
  const Policy* policy = nullptr;
  CounterTable::Counter* stored = nullptr;  // null if the table has no entry
  bool healed = false;  // the stored state must be replaced: see Healed()
};

// The counters and outcomes of one take, before they are written back.
struct WorkingSet {
  // Takes with more charges are rare, and allocate.
  static constexpr size_t kUsual = 8;

  absl::InlinedVector<Working, kUsual> counters;
  absl::InlinedVector<JudgedCounter, kUsual> judged;  // for each of `counters`
  // charges[i] -> counters[...]
  absl::InlinedVector<size_t, kUsual> counter_of;
  absl::InlinedVector<Outcome, kUsual> outcomes;
};

uint32_t ToSeconds(int64_t ns) {
  return static_cast<uint32_t>(
      std::clamp<int64_t>(ns / 1'000'000'000, 1, UINT32_MAX));
}

uint32_t NowSeconds(absl::Time now) {
  return ToSeconds(absl::ToUnixNanos(now));
}

// Rounded up, so that a live counter never looks expired.
uint32_t ExpirySeconds(absl::Time expiry) {
  return ToSeconds(
      absl::ToUnixNanos(std::min(expiry, absl::FromUnixSeconds(UINT32_MAX)) +
                        absl::Nanoseconds(999'999'999)));
}

// Whether the counter must be written but is not in its table yet.
bool IsNew(const Working& counter, const JudgedCounter& judged) {
  return counter.stored == nullptr && !(judged.after == CounterState{});
}

size_t CountNew(const WorkingSet& set) {
  size_t count = 0;
  for (size_t i = 0; i < set.counters.size(); ++i) {
    count += IsNew(set.counters[i], set.judged[i]) ? 1 : 0;
  }
  return count;
}

class MemoryStoreImpl final : public MemoryStore {
 public:
  MemoryStoreImpl(const Clock& clock, const MemoryStoreOptions& options)
      : clock_(clock),
        seed_(options.seed),
        max_counters_(std::min(options.max_counters,
                               options.max_bytes / kBytesPerCounter)) {}

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    const absl::Time now = clock_.Now();
    if (now >= deadline) {
      done(absl::DeadlineExceededError("the deadline has passed"));
      return;
    }
    WorkingSet set;
    set.outcomes.resize(charges.size());
    for (const Charge& charge : charges) AddCounter(charge, set);
    set.judged.resize(set.counters.size());
    const TakeView take{.charges = charges,
                        .accounting = accounting,
                        .counter_of = set.counter_of};
    while (!TryTake(take, now, set)) {
      if (DropSomeExpired(now)) continue;
      done(absl::ResourceExhaustedError("the memory store is full"));
      return;
    }
    done(absl::MakeConstSpan(set.outcomes));
  }

  size_t size() const override { return size_.load(); }

 private:
  using ShardList = absl::InlinedVector<Shard*, WorkingSet::kUsual>;

  Shard& ShardOf(const Working& counter) {
    return shards_[counter.key.low % kShards];
  }

  // The shards of all counters, each once, in ascending order.
  ShardList ShardsOf(const WorkingSet& set) {
    ShardList shards;
    for (const Working& counter : set.counters) {
      shards.push_back(&ShardOf(counter));
    }
    std::sort(shards.begin(), shards.end());
    shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
    return shards;
  }

  void AddCounter(const Charge& charge, WorkingSet& set) const {
    const Hash128 key = HashKey(seed_, charge.key);
    size_t index = 0;
    while (index < set.counters.size() && !(set.counters[index].key == key)) {
      ++index;
    }
    set.counter_of.push_back(index);
    if (index == set.counters.size()) set.counters.push_back({.key = key});
    set.counters[index].policy = charge.policy;  // the last charge's policy
  }

  // False, without any charge, if the store has no room for a new counter.
  bool TryTake(const TakeView& take, absl::Time now, WorkingSet& set) {
    if (set.counters.size() != 1) return TrySeveral(take, now, set);
    Shard& shard = ShardOf(set.counters[0]);
    MutexLock lock(&shard.mutex);
    Load(shard, now, set, 0);
    JudgeAll(take, now, absl::MakeSpan(set.judged),
             absl::MakeSpan(set.outcomes));
    const bool is_new = IsNew(set.counters[0], set.judged[0]);
    if (is_new && !Reserve(1)) return false;
    Store(shard, set, 0);
    if (is_new) SweepALittle(shard, now);
    return true;
  }

  // Locks every shard involved, in ascending order, so that two takes never
  // deadlock. The thread-safety analysis cannot follow a set of locks.
  bool TrySeveral(const TakeView& take, absl::Time now,
                  WorkingSet& set) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const ShardList involved = ShardsOf(set);
    for (Shard* shard : involved) shard->mutex.Lock();
    for (const Working& counter : set.counters) {
      ShardOf(counter).table.Prefetch(counter.key);
    }
    for (size_t i = 0; i < set.counters.size(); ++i) {
      Load(ShardOf(set.counters[i]), now, set, i);
    }
    JudgeAll(take, now, absl::MakeSpan(set.judged),
             absl::MakeSpan(set.outcomes));
    const size_t added = CountNew(set);
    const bool made = Reserve(added);
    // Writes the stored counters first: a new counter may move them in memory,
    // and a sweep may drop them.
    for (const bool stored : {true, false}) {
      for (size_t i = 0; made && i < set.counters.size(); ++i) {
        if ((set.counters[i].stored != nullptr) != stored) continue;
        Store(ShardOf(set.counters[i]), set, i);
      }
    }
    for (Shard* shard : involved) {
      if (made && added > 0) SweepALittle(*shard, now);
      shard->mutex.Unlock();
    }
    return made;
  }

  // Ignores the state of an expired counter, even if it is not swept yet: a
  // policy with a new burst could bank its unused units.
  static void Load(Shard& shard, absl::Time now, WorkingSet& set, size_t index)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    CounterTable::Counter* const stored =
        shard.table.Find(set.counters[index].key);
    const uint32_t now_s = NowSeconds(now);
    if (now_s < shard.latest_s) NoticeStepBack(shard, now_s);
    if (now_s > shard.latest_s) shard.latest_s = now_s;
    const bool live = stored != nullptr && stored->expires_s > now_s;
    Working& counter = set.counters[index];
    counter.healed = false;
    CounterState state;
    if (live) state = stored->state;
    // A quick look that spares most takes the call.
    if (state.anchor_ns > int64_t{now_s} * 1'000'000'000 + kClockToleranceNs) {
      state = Healed(*counter.policy, state, now);
      counter.healed = !(state == stored->state);
    }
    counter.stored = stored;
    set.judged[index] = {.before = state, .after = state};
  }

  // A clock that was ahead has made counters that would stay until it gets
  // there again, and fill the store.
  static void NoticeStepBack(Shard& shard, uint32_t now_s)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    const uint32_t back_s = shard.latest_s - now_s;
    if (int64_t{back_s} * 1'000'000'000 <= kClockToleranceNs) return;
    shard.latest_s = now_s;
    shard.earliest_s.store(shard.table.SetBack(now_s, back_s),
                           std::memory_order_relaxed);
  }

  static void Store(Shard& shard, const WorkingSet& set, size_t index)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    const Working& counter = set.counters[index];
    const CounterState& after = set.judged[index].after;
    if (after == set.judged[index].before && !counter.healed) return;
    CounterTable::Counter& stored = counter.stored == nullptr
                                        ? shard.table.Insert(counter.key)
                                        : *counter.stored;
    const uint32_t expires_s = ExpirySeconds(Expiry(*counter.policy, after));
    stored.state = after;
    stored.expires_s = expires_s;
    if (expires_s < shard.earliest_s.load(std::memory_order_relaxed)) {
      shard.earliest_s.store(expires_s, std::memory_order_relaxed);
    }
  }

  void SweepALittle(Shard& shard, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    size_ -= shard.table.Sweep(NowSeconds(now), kSweepSteps).dropped;
  }

  // Counts `added` new counters. False if the store has no room for them.
  bool Reserve(size_t added) {
    size_t size = added == 0 ? 0 : size_.load();  // contended
    do {
      if (added > max_counters_ - size) return false;
    } while (added > 0 && !size_.compare_exchange_weak(size, size + added));
    return true;
  }

  // Drops expired counters of the first shard that has any. False if no shard
  // has one. Call this without any lock.
  bool DropSomeExpired(absl::Time now) {
    const uint32_t now_s = NowSeconds(now);
    for (Shard& shard : shards_) {
      if (shard.earliest_s.load(std::memory_order_relaxed) > now_s) continue;
      const MutexLock lock(&shard.mutex);
      const size_t dropped = DropSomeExpiredOf(shard, now_s);
      size_ -= dropped;
      if (dropped > 0) return true;
    }
    return false;
  }

  static size_t DropSomeExpiredOf(Shard& shard, uint32_t now_s)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    uint32_t earliest_s = UINT32_MAX;
    for (size_t done = 0; done < shard.table.buckets();
         done += kFullSweepSteps) {
      const CounterTable::Swept swept =
          shard.table.Sweep(now_s, kFullSweepSteps);
      if (swept.dropped > 0) return swept.dropped;
      earliest_s = std::min(earliest_s, swept.earliest_s);
    }
    // Every counter was visited, so the bound is exact again.
    shard.earliest_s.store(earliest_s, std::memory_order_relaxed);
    return 0;
  }

  const Clock& clock_;
  const HashSeed seed_;
  const size_t max_counters_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> size_{0};
};

}  // namespace

std::unique_ptr<MemoryStore> NewMemoryStore(const Clock& clock,
                                            const MemoryStoreOptions& options) {
  return std::make_unique<MemoryStoreImpl>(clock, options);
}

}  // namespace rls
