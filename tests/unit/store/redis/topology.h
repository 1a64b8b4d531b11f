#ifndef RLS_TESTS_UNIT_STORE_REDIS_TOPOLOGY_H_
#define RLS_TESTS_UNIT_STORE_REDIS_TOPOLOGY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "store/redis/redis_store.h"
#include "support/redis_cluster.h"
#include "support/redis_process.h"
#include "unit/store/counter_store_suite.h"

namespace rls {

struct TopologyOptions {
  int threads = 1;
  absl::Duration command_timeout = absl::Seconds(5);
};

// A store with the servers of a test. Uses the system clock.
class TopologyStore {
 public:
  explicit TopologyStore(RedisTarget target, TopologyOptions options = {});
  // See ParseRedisUrl(). An invalid URL fails the test.
  explicit TopologyStore(const std::string& url);

  CounterStore& store() { return *store_; }
  bool ready() const { return store_->ready(); }
  void WaitUntilReady();

  absl::StatusOr<std::vector<Outcome>> Take(
      const std::vector<TestCharge>& charges);
  // Takes one unit of a limit of `limit` units per hour.
  absl::StatusOr<Outcome> Take(const std::string& key, int64_t limit);
  // The used units of a limit of `limit` units per hour. A failure of the take
  // fails the test.
  int64_t Used(const std::string& key, int64_t limit = kMaxAmount);
  // Whether a take succeeds now.
  bool Answers() { return Take("answers", kMaxAmount).ok(); }

 private:
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  std::unique_ptr<RedisStore> store_;
};

RedisTarget TargetOf(const std::string& url);

// A window that is longer than any test.
Policy PerHour(int64_t limit);

int64_t ScriptCalls(const RedisProcess& redis);

std::string UrlOf(const RedisCluster& cluster);
int SlotOfCounter(RedisCluster& cluster, const std::string& key);
// Counter keys that were on the master at the start.
std::vector<std::string> KeysOf(RedisCluster& cluster, size_t master,
                                size_t count);

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_REDIS_TOPOLOGY_H_
