#ifndef RLS_STORE_MEMORY_COUNTER_TABLE_H_
#define RLS_STORE_MEMORY_COUNTER_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "limit/judge.h"
#include "limit/key_hash.h"

namespace rls {

// A hash table of counters, indexed by the hash of their keys. Each bucket
// holds one counter itself, so most look-ups miss the CPU caches once. Further
// counters of a bucket are chained in a second slab. The table grows by linear
// hashing: one or two buckets for each new counter. So no call has to move all
// counters, and the slabs grow without copying. A counter costs about 80 bytes.
//
// Threads: not thread-safe; a shard's lock guards the table.
// Source: Litwin, Linear Hashing: a new tool for file and table addressing,
// VLDB 1980.
class CounterTable {
 public:
  struct Counter {
    Hash128 key;
    CounterState state;
    uint32_t expires_s = 0;  // Unix seconds, rounded up; 0 when not in use
    uint32_t next = kNone;   // the next in the bucket or in the free list
  };
  static_assert(sizeof(Counter) == 48);

  struct Swept {
    size_t dropped = 0;
    uint32_t earliest_s =
        UINT32_MAX;  // the first expiry of the counters that stay
  };

  // Loads the bucket of `key` into the CPU cache before a Find().
  void Prefetch(const Hash128& key);

  // The counter of `key`, or null. Valid until the next Insert() or Sweep().
  Counter* Find(const Hash128& key);

  // Adds a counter; the table must not have `key` yet. Valid until the next
  // Insert() or Sweep(). The expiry must be set to a value other than 0.
  Counter& Insert(const Hash128& key);

  // Drops the counters that have expired at `now_s` from the next `steps`
  // buckets. Visits no bucket twice.
  Swept Sweep(uint32_t now_s, size_t steps);

  // The clock was set back by `back_s` to `now_s`. Counters of the future
  // expire sooner by as much, but not within an hour: counters that are still
  // needed look the same. Visits every counter. Returns the first expiry.
  uint32_t SetBack(uint32_t now_s, uint32_t back_s);

  // The number of steps with which Sweep() visits every counter once.
  size_t buckets() const { return buckets_.size(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // An array that grows without moving its counters: it consists of blocks of
  // doubling size. Memory is not touched before it is used.
  class Slab {
   public:
    Counter& operator[](uint32_t index);
    uint32_t Add();
    uint32_t size() const { return size_; }

   private:
    static constexpr uint32_t kFirstBlock = 64;
    static constexpr size_t kBlocks = 27;  // 2^32 counters in total

    std::array<std::unique_ptr<std::byte[]>, kBlocks> blocks_;
    uint32_t size_ = 0;
  };

  Counter& BucketOf(const Hash128& key);
  Counter& Place(const Counter& counter);
  void AddBucket();
  void DropExpiredOf(Counter& bucket, uint32_t now_s, Swept& swept);
  void Free(uint32_t index);

  Slab buckets_;
  Slab chained_;
  // The largest power of two that is at most the number of buckets.
  uint32_t base_buckets_ = 1;
  uint32_t live_ = 0;
  uint32_t free_ = kNone;  // the first free counter of chained_
  uint32_t hand_ = 0;      // the bucket at which the next sweep begins
};

}  // namespace rls

#endif  // RLS_STORE_MEMORY_COUNTER_TABLE_H_
