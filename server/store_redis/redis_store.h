#ifndef RLS_STORE_REDIS_REDIS_STORE_H_
#define RLS_STORE_REDIS_REDIS_STORE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "limit/key_hash.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"
#include "store_redis/redis_target.h"

namespace rls {

struct RedisStoreOptions {
  RedisTarget target;
  // Where the counters of windows of a second are; none: with all others.
  std::optional<RedisTarget> per_second;
  std::string key_prefix;   // before each key, e.g. "rl:"
  std::string hash_secret;  // keys the hashes of secret values; see KeyText
  // A take is answered within this, or by its caller's deadline if that is
  // sooner.
  absl::Duration command_timeout = absl::Milliseconds(10);
  int threads = 1;  // event loops, each with a connection of its own
  // Loops to live on instead, which do not run when the store is made nor when
  // it is destroyed. What is taken on one of them travels, and is answered, on
  // that loop.
  std::vector<EventLoop*> loops;
  // Exhausted counters that are remembered: see DenyCache. 0: none.
  size_t deny_cache_entries = 100'000;
  HashSeed seed;  // of the deny cache
};

// Counters in Redis, 6.2 or later, or Valkey: shared by every process that uses
// the same servers and prefix. Changed by scripts only, which take the time
// from Redis, so the clocks of the processes do not matter.
//
// Takes of all threads travel together, many in one call of a script. A take
// whose servers cannot be reached, or do not answer in time, fails at once with
// UNAVAILABLE; one that was sent is never sent again, unless Redis has said
// that it did nothing.
class RedisStore : public CounterStore {
 public:
  // Whether takes have a chance now: the servers are connected and answer.
  virtual bool ready() const = 0;
};

// Begins to connect and does not wait for it. `clock` and `metrics` must
// outlive the store, which must not be destroyed while a Take() runs; what
// waits for Redis then fails with UNAVAILABLE.
//
// Failure: INVALID_ARGUMENT when the TLS files cannot be used.
absl::StatusOr<std::unique_ptr<RedisStore>> NewRedisStore(
    const RedisStoreOptions& options, const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REDIS_STORE_H_
