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
#include "store/redis/redis_target.h"

namespace rls {

struct RedisStoreOptions {
  RedisTarget target;
  // The servers for counters with windows of one second. Default: `target` has
  // all counters.
  std::optional<RedisTarget> per_second;
  std::string key_prefix;   // of each key in Redis, e.g. "rl:"
  std::string hash_secret;  // the key of the hashes of secrets; see KeyText
  // The time limit of a take. The caller's deadline applies if it is sooner.
  absl::Duration command_timeout = absl::Milliseconds(10);
  // The same for the counters on `per_second`. Default: `command_timeout`. Must
  // not be set without `per_second`.
  std::optional<absl::Duration> per_second_timeout;
  int threads = 1;  // event loops, each with its own connections
  // Existing loops to use instead of own threads. They must not run while the
  // store is created or destroyed. A take on one of these loops is sent and
  // answered on the same loop.
  std::vector<EventLoop*> loops;
  // The size of the DenyCache. 0 disables the cache.
  size_t deny_cache_entries = 100'000;
  HashSeed seed;  // of the deny cache
};

// Counters in Redis (6.2 or later) or Valkey. All processes that use the same
// servers and prefix share the counters. Only scripts change the counters, with
// the time of Redis, so the clocks of the processes do not matter.
//
// One script call serves many takes, of all threads. A take fails with
// UNAVAILABLE if its servers cannot be reached or do not answer in time. A
// script call is never sent twice, unless Redis has reported that it did not
// run the script.
class RedisStore : public CounterStore {
 public:
  // Whether all servers are connected and answer.
  virtual bool ready() const = 0;
  // Whether the first attempts to connect have ended, with success or not. A
  // take that comes earlier waits for them within its time limit.
  virtual bool attempted() const = 0;
  // The reason for which takes fail, or may fail soon: "no connection to Redis"
  // with the failure to connect, such as a wrong password; "no answer from
  // Redis"; the rights that the user lacks; or the last error of a server. Else
  // "".
  virtual std::string not_ready() const = 0;
};

// Begins to connect, and returns before the connections are established.
//
// Lifetime: `clock` and `metrics` must outlive the store. The store must not be
// destroyed while Take() runs. Its destruction fails all waiting takes with
// UNAVAILABLE.
// Failure: INVALID_ARGUMENT if the TLS files cannot be used.
absl::StatusOr<std::unique_ptr<RedisStore>> NewRedisStore(
    const RedisStoreOptions& options, const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REDIS_STORE_H_
