#ifndef RLS_STORE_REDIS_DENY_CACHE_H_
#define RLS_STORE_REDIS_DENY_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "limit/judge.h"
#include "limit/key_hash.h"
#include "store/striped_table.h"

namespace rls {

// The last known states of exhausted counters. The Redis store refuses charges
// of these counters by itself, so a flood on such a counter costs Redis nothing
// until a charge could pass again.
//
// A refusal is exact as long as no client gives units back. Charges of other
// processes only add to the used units: if the known state leaves nothing at
// some time, the true state leaves nothing either. The store judges the known
// state with the limit of the moment. It remembers no counter whose rule has
// refunds, and forgets a counter that it has charged by a higher limit. It does
// not notice when other processes charge by a higher limit: then the refusal is
// right, but its times may be too short.
//
// The table has a fixed size. If a counter pushes another one out, the next
// charge of that one goes to Redis; nothing else is lost.
//
// Threads: every method may be called by many threads at once.
class DenyCache {
 public:
  // Clocks of two machines drift apart, and Redis' clock may be set. So the
  // store asks Redis again after this time.
  static constexpr absl::Duration kMaxAge = absl::Seconds(10);
  // The same if a take is split into sub-takes (a cluster, a second Redis). A
  // counter may then look exhausted because of units that a sub-take gives back
  // a moment later; this bounds how long such a refusal lasts.
  static constexpr absl::Duration kMaxSplitAge = absl::Milliseconds(100);

  // `entries` 0 switches the cache off.
  DenyCache(size_t entries, absl::Duration max_age);
  DenyCache(const DenyCache&) = delete;
  DenyCache& operator=(const DenyCache&) = delete;

  struct Known {
    CounterState state;
    absl::Time redis_now;     // Redis' clock at `state`
    absl::Duration asked_at;  // Clock::Elapsed(), not later than `redis_now`

    // Redis' clock or slightly ahead of it, so that no refusal lasts too long.
    absl::Time RedisTimeAt(absl::Duration elapsed) const {
      return redis_now + (elapsed - asked_at);
    }
  };

  void Remember(const Hash128& counter, const Known& known);
  void Forget(const Hash128& counter);

  // The known state, unless it is older than `max_age` at `elapsed`.
  std::optional<Known> Find(const Hash128& counter, absl::Duration elapsed);

 private:
  struct Entry {
    Hash128 key;
    Known known;

    absl::Duration last_used() const { return known.asked_at; }
    static bool busy() { return false; }
  };

  const absl::Duration max_age_;
  std::optional<StripedTable<Entry>> table_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_DENY_CACHE_H_
