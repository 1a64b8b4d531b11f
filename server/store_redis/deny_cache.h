#ifndef RLS_STORE_REDIS_DENY_CACHE_H_
#define RLS_STORE_REDIS_DENY_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "limit/judge.h"
#include "limit/key_hash.h"

namespace rls {

// What was last heard of exhausted counters, so that a flood on one of them
// costs Redis nothing until it could pass again.
//
// It is exact as long as nobody gives units back: others' charges only add to
// what has been used, so where the known state leaves nothing at some time, the
// true one leaves nothing either. The caller judges that, with the limit of the
// moment; it remembers no counter whose rule has refunds, and forgets one that
// it has charged by a higher limit. What other processes charge by a higher
// limit it does not hear of: the refusal is right, its times may be too short.
//
// A table of fixed size: a counter may push another one out, which then costs a
// question to Redis, no more.
//
// Threads: every method may be called by many threads at once.
class DenyCache {
 public:
  // The clocks of two machines drift apart, and Redis' may be set: so it is
  // asked again after this time.
  static constexpr absl::Duration kMaxAge = absl::Seconds(10);
  // Where takes go part by part (a cluster, a second Redis), so that a counter
  // may be refused for what a take gives back a moment later. So much longer
  // does that last at most.
  static constexpr absl::Duration kMaxSplitAge = absl::Milliseconds(100);

  // `entries` 0 switches it off.
  DenyCache(size_t entries, absl::Duration max_age);
  ~DenyCache();
  DenyCache(const DenyCache&) = delete;
  DenyCache& operator=(const DenyCache&) = delete;

  struct Known {
    CounterState state;
    absl::Time redis_now;     // when it was so
    absl::Duration asked_at;  // Clock::Elapsed(), not later than `redis_now`

    // Not earlier than Redis has it, so that no refusal lasts too long.
    absl::Time RedisTimeAt(absl::Duration elapsed) const {
      return redis_now + (elapsed - asked_at);
    }
  };

  void Remember(const Hash128& counter, const Known& known);
  void Forget(const Hash128& counter);

  // What is known of it, unless it is older than `max_age` at `elapsed`.
  std::optional<Known> Find(const Hash128& counter,
                            absl::Duration elapsed) const;

 private:
  struct Stripe;

  Stripe& StripeOf(const Hash128& counter) const;

  const size_t stripes_;
  const absl::Duration max_age_;
  const std::unique_ptr<Stripe[]> table_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_DENY_CACHE_H_
