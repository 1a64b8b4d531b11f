#include "store/memory/counter_table.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace rls {
namespace {

constexpr uint32_t kNotInUse = 0;

}  // namespace

CounterTable::Counter& CounterTable::Slab::operator[](uint32_t index) {
  const auto block = static_cast<size_t>(std::bit_width(index / kFirstBlock));
  const uint32_t first = block == 0 ? 0 : kFirstBlock << (block - 1);
  return reinterpret_cast<Counter*>(blocks_[block].get())[index - first];
}

uint32_t CounterTable::Slab::Add() {
  const uint32_t index = size_++;
  const auto block = static_cast<size_t>(std::bit_width(index / kFirstBlock));
  if (blocks_[block] == nullptr) {
    // The earlier blocks have `index` counters in total.
    const size_t counters = std::max(kFirstBlock, index);
    blocks_[block].reset(new std::byte[counters * sizeof(Counter)]);
  }
  std::construct_at(&(*this)[index]);
  return index;
}

void CounterTable::Prefetch(const Hash128& key) {
  if (buckets_.size() > 0) __builtin_prefetch(&BucketOf(key), 1);
}

CounterTable::Counter* CounterTable::Find(const Hash128& key) {
  if (buckets_.size() == 0) return nullptr;
  Counter* counter = &BucketOf(key);
  while (!(counter->key == key) || counter->expires_s == kNotInUse) {
    if (counter->next == kNone) return nullptr;
    counter = &chained_[counter->next];
  }
  return counter;
}

CounterTable::Counter& CounterTable::Insert(const Hash128& key) {
  // With a load of three quarters, 30% of the counters are chained, and empty
  // buckets cost about 30 bytes per counter. Fewer buckets would chain more.
  while (uint64_t{live_} * 4 >= uint64_t{buckets_.size()} * 3) AddBucket();
  ++live_;
  return Place({.key = key, .state = {}, .expires_s = UINT32_MAX});
}

CounterTable::Swept CounterTable::Sweep(uint32_t now_s, size_t steps) {
  Swept swept;
  for (steps = std::min<size_t>(steps, buckets_.size()); steps > 0; --steps) {
    if (hand_ >= buckets_.size()) hand_ = 0;
    DropExpiredOf(buckets_[hand_++], now_s, swept);
  }
  live_ -= static_cast<uint32_t>(swept.dropped);
  return swept;
}

uint32_t CounterTable::SetBack(uint32_t now_s, uint32_t back_s) {
  constexpr int64_t kBillion = 1'000'000'000;
  constexpr uint32_t kHour = 3600;
  const int64_t now_ns = int64_t{now_s} * kBillion + kClockToleranceNs;
  uint32_t earliest_s = UINT32_MAX;
  for (Slab* const slab : {&buckets_, &chained_}) {
    for (uint32_t i = 0; i < slab->size(); ++i) {
      Counter& counter = (*slab)[i];
      if (counter.expires_s == kNotInUse) continue;
      if (counter.state.anchor_ns > now_ns && counter.expires_s > back_s) {
        counter.expires_s =
            std::max(counter.expires_s - back_s,
                     std::min(counter.expires_s, now_s + kHour));
      }
      earliest_s = std::min(earliest_s, counter.expires_s);
    }
  }
  return earliest_s;
}

CounterTable::Counter& CounterTable::BucketOf(const Hash128& key) {
  const auto bucket =
      static_cast<uint32_t>(key.high & (2 * uint64_t{base_buckets_} - 1));
  return buckets_[bucket < buckets_.size() ? bucket : bucket - base_buckets_];
}

CounterTable::Counter& CounterTable::Place(const Counter& counter) {
  Counter& bucket = BucketOf(counter.key);
  if (bucket.expires_s == kNotInUse) {
    bucket = counter;
    bucket.next = kNone;
    return bucket;
  }
  uint32_t index = free_;
  if (index == kNone) {
    index = chained_.Add();
  } else {
    free_ = chained_[index].next;
  }
  Counter& placed = chained_[index];
  placed = counter;
  placed.next = std::exchange(bucket.next, index);
  return placed;
}

// Adds a bucket by splitting an old one: the next one that has not been split
// since the number of buckets was a power of two. Its counters stay there or
// move to the new bucket.
void CounterTable::AddBucket() {
  const uint32_t added = buckets_.Add();
  if (added == 0) return;
  Counter moving = std::exchange(buckets_[added - base_buckets_], {});
  while (moving.expires_s != kNotInUse) {
    Place(moving);
    const uint32_t next = moving.next;
    if (next == kNone) break;
    moving = chained_[next];
    Free(next);
  }
  if (buckets_.size() == 2 * uint64_t{base_buckets_}) base_buckets_ *= 2;
}

void CounterTable::DropExpiredOf(Counter& bucket, uint32_t now_s,
                                 Swept& swept) {
  for (uint32_t* link = &bucket.next; *link != kNone;) {
    const uint32_t index = *link;
    Counter& counter = chained_[index];
    if (counter.expires_s <= now_s) {
      *link = counter.next;
      Free(index);
      ++swept.dropped;
    } else {
      swept.earliest_s = std::min(swept.earliest_s, counter.expires_s);
      link = &counter.next;
    }
  }
  if (bucket.expires_s == kNotInUse) return;
  if (bucket.expires_s > now_s) {
    swept.earliest_s = std::min(swept.earliest_s, bucket.expires_s);
    return;
  }
  ++swept.dropped;
  const uint32_t next = bucket.next;
  bucket = next == kNone ? Counter{} : chained_[next];
  if (next != kNone) Free(next);
}

void CounterTable::Free(uint32_t index) {
  chained_[index].expires_s = kNotInUse;
  chained_[index].next = std::exchange(free_, index);
}

}  // namespace rls
