#ifndef RLS_TESTS_UNIT_STORE_REDIS_REDIS_FIXTURE_H_
#define RLS_TESTS_UNIT_STORE_REDIS_REDIS_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "store/counter_store.h"
#include "store/redis/redis_target.h"
#include "support/redis_process.h"

namespace rls {

// The options of a test's Redis store. The long command timeout keeps slow
// machines from failing tests that are not about timeouts.
struct TestRedisOptions {
  std::string key_prefix = "test:";
  absl::Duration command_timeout = absl::Seconds(60);
  int threads = 1;
  size_t deny_cache_entries = 1000;
  // The Redis for windows of one second; null: the same Redis as all others.
  const RedisProcess* per_second = nullptr;
  std::optional<absl::Duration> per_second_timeout = std::nullopt;
};

// A Redis store with its metrics. The test owns the servers.
class TestRedisStore : public CounterStore {
 public:
  virtual bool ready() const = 0;
  virtual bool attempted() const = 0;
  virtual std::string not_ready() const = 0;
  virtual Metrics& metrics() = 0;
};

// Does not wait until the store is ready.
std::unique_ptr<TestRedisStore> NewTestRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options);
std::unique_ptr<TestRedisStore> NewTestRedisStore(
    RedisTarget target, const Clock& clock, const TestRedisOptions& options);

// Waits until the store is ready.
std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options);
std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    RedisTarget target, const Clock& clock, const TestRedisOptions& options);

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_REDIS_REDIS_FIXTURE_H_
