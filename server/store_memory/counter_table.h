#ifndef RLS_STORE_MEMORY_COUNTER_TABLE_H_
#define RLS_STORE_MEMORY_COUNTER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "limit/judge.h"
#include "limit/key_hash.h"

namespace rls {

// Counters by the hash of their key: chained buckets of 32-bit indexes over a
// slab that grows in chunks, so that nothing is copied when it grows and a
// counter costs 48 bytes and its share of the buckets.
//
// Threads: none; a shard's lock guards it.
class CounterTable {
 public:
  struct Counter {
    Hash128 key;
    CounterState state;
    uint32_t expires_s = 0;  // Unix seconds, rounded up
    uint32_t next = kNone;   // in its bucket, or in the free list
  };
  static_assert(sizeof(Counter) == 48);

  // The counter of `key`, or null. Valid until the next Insert or Sweep.
  Counter* Find(const Hash128& key);

  // Adds a counter for a key that is not there.
  Counter& Insert(const Hash128& key);

  // Looks at the next `steps` slots and drops the counters that expired before
  // `now_s`. Gives how many were dropped.
  size_t Sweep(uint32_t now_s, size_t steps);

  size_t slots() const { return used_slots_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kChunk = 64;  // slots; 3 KiB

  Counter& At(uint32_t index) {
    return chunks_[index / kChunk][index % kChunk];
  }
  uint32_t& BucketOf(const Hash128& key) {
    return buckets_[key.high & (buckets_.size() - 1)];
  }
  void GrowBuckets();
  void Remove(uint32_t index);

  std::vector<std::unique_ptr<Counter[]>> chunks_;
  std::vector<uint32_t> buckets_ = std::vector<uint32_t>(8, kNone);
  size_t live_ = 0;
  size_t used_slots_ = 0;  // of the chunks; the rest was never used
  uint32_t free_ = kNone;
  size_t hand_ = 0;  // where the next sweep begins
};

}  // namespace rls

#endif  // RLS_STORE_MEMORY_COUNTER_TABLE_H_
