#include "store_memory/counter_table.h"

#include <algorithm>

namespace rls {
namespace {

// Marks a slot of the free list; a live counter never expires at 0.
constexpr uint32_t kFreeSlot = 0;

}  // namespace

CounterTable::Counter* CounterTable::Find(const Hash128& key) {
  for (uint32_t index = BucketOf(key); index != kNone;) {
    Counter& counter = At(index);
    if (counter.key == key) return &counter;
    index = counter.next;
  }
  return nullptr;
}

CounterTable::Counter& CounterTable::Insert(const Hash128& key) {
  if (live_ >= buckets_.size()) GrowBuckets();
  uint32_t index = free_;
  if (index != kNone) {
    free_ = At(index).next;
  } else {
    index = static_cast<uint32_t>(used_slots_++);
    if (index / kChunk >= chunks_.size()) {
      chunks_.push_back(std::make_unique<Counter[]>(kChunk));
    }
  }
  uint32_t& bucket = BucketOf(key);
  Counter& counter = At(index);
  counter = {.key = key, .state = {}, .expires_s = UINT32_MAX, .next = bucket};
  bucket = index;
  ++live_;
  return counter;
}

size_t CounterTable::Sweep(uint32_t now_s, size_t steps) {
  size_t dropped = 0;
  for (steps = std::min(steps, used_slots_); steps > 0; --steps) {
    if (hand_ >= used_slots_) hand_ = 0;
    const auto index = static_cast<uint32_t>(hand_++);
    const Counter& counter = At(index);
    if (counter.expires_s == kFreeSlot || counter.expires_s > now_s) continue;
    Remove(index);
    ++dropped;
  }
  return dropped;
}

void CounterTable::GrowBuckets() {
  std::vector<uint32_t> old(buckets_.size() * 2, kNone);
  old.swap(buckets_);
  for (uint32_t index : old) {
    while (index != kNone) {
      Counter& counter = At(index);
      const uint32_t next = counter.next;
      uint32_t& bucket = BucketOf(counter.key);
      counter.next = bucket;
      bucket = index;
      index = next;
    }
  }
}

void CounterTable::Remove(uint32_t index) {
  Counter& counter = At(index);
  uint32_t* link = &BucketOf(counter.key);
  while (*link != index) link = &At(*link).next;
  *link = counter.next;
  counter.expires_s = kFreeSlot;
  counter.next = free_;
  free_ = index;
  --live_;
}

}  // namespace rls
