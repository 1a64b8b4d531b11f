#ifndef RLS_TESTS_UNIT_REDIS_TOPOLOGY_H_
#define RLS_TESTS_UNIT_REDIS_TOPOLOGY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "store_redis/redis_store.h"
#include "support/redis_cluster.h"
#include "support/redis_process.h"
#include "unit/counter_store_suite.h"

namespace rls {

struct TopologyOptions {
  int threads = 1;
  absl::Duration command_timeout = absl::Seconds(5);
};

// A store over the servers that a test has started, on the machine's clock.
class TopologyStore {
 public:
  explicit TopologyStore(RedisTarget target, TopologyOptions options = {});
  // As of ParseRedisUrl(); a URL that cannot be read fails the test.
  explicit TopologyStore(const std::string& url);

  CounterStore& store() { return *store_; }
  bool ready() const { return store_->ready(); }
  void WaitUntilReady();

  absl::StatusOr<std::vector<Outcome>> Take(
      const std::vector<TestCharge>& charges);
  // One of `limit` an hour.
  absl::StatusOr<Outcome> Take(const std::string& key, int64_t limit);
  // How many of `limit` an hour are used; a failure fails the test.
  int64_t Used(const std::string& key, int64_t limit = kMaxAmount);
  // Whether the servers give an answer now.
  bool Answers() { return Take("answers", kMaxAmount).ok(); }

 private:
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  std::unique_ptr<RedisStore> store_;
};

RedisTarget TargetOf(const std::string& url);

// As good as for ever.
Policy PerHour(int64_t limit);

int64_t ScriptCalls(const RedisProcess& redis);

std::string UrlOf(const RedisCluster& cluster);
int SlotOfCounter(RedisCluster& cluster, const std::string& key);
// Keys of counters that the master had at first.
std::vector<std::string> KeysOf(RedisCluster& cluster, size_t master,
                                size_t count);

}  // namespace rls

#endif  // RLS_TESTS_UNIT_REDIS_TOPOLOGY_H_
