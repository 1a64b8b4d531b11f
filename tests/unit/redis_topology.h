#ifndef RLS_TESTS_UNIT_REDIS_TOPOLOGY_H_
#define RLS_TESTS_UNIT_REDIS_TOPOLOGY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "store_redis/redis_store.h"
#include "unit/counter_store_suite.h"

namespace rls {

// A store over the servers that a test has started, on the machine's clock.
class TopologyStore {
 public:
  explicit TopologyStore(RedisTarget target, int threads = 1);
  // As of ParseRedisUrl(); a URL that cannot be read fails the test.
  explicit TopologyStore(const std::string& url);

  CounterStore& store() { return *store_; }
  bool ready() const { return store_->ready(); }
  void WaitUntilReady();

  // One of `limit` an hour, which is as good as for ever.
  absl::StatusOr<Outcome> Take(const std::string& key, int64_t limit);
  // Whether the servers give an answer now.
  bool Answers() { return Take("answers", kMaxAmount).ok(); }

 private:
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  std::unique_ptr<RedisStore> store_;
};

RedisTarget TargetOf(const std::string& url);

}  // namespace rls

#endif  // RLS_TESTS_UNIT_REDIS_TOPOLOGY_H_
