#ifndef RLS_STORE_MEMORY_COUNTER_TABLE_H_
#define RLS_STORE_MEMORY_COUNTER_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "limit/judge.h"
#include "limit/key_hash.h"

namespace rls {

// Counters by the hash of their key. Each bucket is a counter itself, so that
// most look-ups miss the caches once; what does not fit there is chained from a
// second slab. Buckets are added by linear hashing, one or two for each new
// counter: no call ever stops to move them all, and nothing is copied when the
// slabs grow. A counter costs some 80 bytes.
//
// Threads: none; a shard's lock guards it.
// Source: Litwin, Linear Hashing: a new tool for file and table addressing,
// VLDB 1980.
class CounterTable {
 public:
  struct Counter {
    Hash128 key;
    CounterState state;
    uint32_t expires_s = 0;  // Unix seconds, rounded up; 0 when not in use
    uint32_t next = kNone;   // in its bucket, or in the free list
  };
  static_assert(sizeof(Counter) == 48);

  struct Swept {
    size_t dropped = 0;
    uint32_t earliest_s = UINT32_MAX;  // the first expiry of those that stay
  };

  // Brings the bucket of `key` near, for a Find that follows.
  void Prefetch(const Hash128& key);

  // The counter of `key`, or null. Valid until the next Insert or Sweep.
  Counter* Find(const Hash128& key);

  // Adds a counter for a key that is not there. Valid as Find's. The caller
  // gives it an expiry other than 0.
  Counter& Insert(const Hash128& key);

  // Looks at the next `steps` buckets, none of them twice, and drops the
  // counters that have expired at `now_s`.
  Swept Sweep(uint32_t now_s, size_t steps);

  // Steps of Sweep that look at every counter once.
  size_t buckets() const { return buckets_.size(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Counters that stay where they are while their number grows: in blocks of
  // doubling size, whose memory is not touched before it is used.
  class Slab {
   public:
    Counter& operator[](uint32_t index);
    uint32_t Add();
    uint32_t size() const { return size_; }

   private:
    static constexpr uint32_t kFirstBlock = 64;
    static constexpr size_t kBlocks = 27;  // of 2^32 counters in all

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
  // The largest power of two that is not above the number of buckets.
  uint32_t base_buckets_ = 1;
  uint32_t live_ = 0;
  uint32_t free_ = kNone;  // of chained_
  uint32_t hand_ = 0;      // where the next sweep begins
};

}  // namespace rls

#endif  // RLS_STORE_MEMORY_COUNTER_TABLE_H_
