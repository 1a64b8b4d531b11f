#ifndef RLS_TESTS_UNIT_REDIS_FIXTURE_H_
#define RLS_TESTS_UNIT_REDIS_FIXTURE_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "store/counter_store.h"
#include "store_redis/redis_target.h"
#include "support/redis_process.h"

namespace rls {

// How a test makes its Redis store: patient, unless it is about impatience.
struct TestRedisOptions {
  std::string key_prefix = "test:";
  absl::Duration command_timeout = absl::Seconds(60);
  int threads = 1;
  size_t deny_cache_entries = 1000;
  // Of limits of a second; null: where all others are.
  const RedisProcess* per_second = nullptr;
};

// A Redis store and what it needs; the servers are somebody else's.
class TestRedisStore : public CounterStore {
 public:
  virtual bool ready() const = 0;
  virtual Metrics& metrics() = 0;
};

// Does not wait for Redis.
std::unique_ptr<TestRedisStore> NewTestRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options);
std::unique_ptr<TestRedisStore> NewTestRedisStore(
    RedisTarget target, const Clock& clock, const TestRedisOptions& options);

// As above, and waits until it is ready.
std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options);
std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    RedisTarget target, const Clock& clock, const TestRedisOptions& options);

}  // namespace rls

#endif  // RLS_TESTS_UNIT_REDIS_FIXTURE_H_
