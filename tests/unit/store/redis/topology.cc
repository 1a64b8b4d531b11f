#include "unit/store/redis/topology.h"

#include <utility>

#include "support/wait_until.h"

namespace rls {
namespace {

constexpr const char* kKeyPrefix = "topology:";

}  // namespace

RedisTarget TargetOf(const std::string& url) {
  absl::StatusOr<RedisTarget> target = ParseRedisUrl(url);
  EXPECT_TRUE(target.ok()) << target.status();
  return *std::move(target);
}

Policy PerHour(int64_t limit) {
  return {.limit = limit, .window = absl::Hours(1)};
}

int64_t ScriptCalls(const RedisProcess& redis) {
  return redis.Calls("evalsha");
}

std::string UrlOf(const RedisCluster& cluster) {
  return "redis+cluster://" + cluster.hosts();
}

int SlotOfCounter(RedisCluster& cluster, const std::string& key) {
  return SlotOf(cluster.node(0), kKeyPrefix + ("suite|" + key));
}

std::vector<std::string> KeysOf(RedisCluster& cluster, size_t master,
                                size_t count) {
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < count; ++i) {
    const std::string key = "key" + std::to_string(i);
    if (cluster.MasterOf(SlotOfCounter(cluster, key)) == master) {
      keys.push_back(key);
    }
  }
  return keys;
}

TopologyStore::TopologyStore(RedisTarget target, TopologyOptions options) {
  auto store = NewRedisStore({.target = std::move(target),
                              .key_prefix = kKeyPrefix,
                              .command_timeout = options.command_timeout,
                              .threads = options.threads,
                              .deny_cache_entries = 0},
                             *clock_, *metrics_);
  EXPECT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
}

TopologyStore::TopologyStore(const std::string& url)
    : TopologyStore(TargetOf(url)) {}

void TopologyStore::WaitUntilReady() {
  WaitUntil("a store that is ready", [this] { return ready(); });
}

absl::StatusOr<std::vector<Outcome>> TopologyStore::Take(
    const std::vector<TestCharge>& charges) {
  return TakeAndWait(*store_, charges, Accounting::kAllOrNothing,
                     absl::InfiniteFuture());
}

absl::StatusOr<Outcome> TopologyStore::Take(const std::string& key,
                                            int64_t limit) {
  const auto outcomes = Take({{.key = key, .policy = PerHour(limit)}});
  if (!outcomes.ok()) return outcomes.status();
  return (*outcomes)[0];
}

int64_t TopologyStore::Used(const std::string& key, int64_t limit) {
  const auto outcomes =
      Take({{.key = key, .policy = PerHour(limit), .kind = ChargeKind::kPeek}});
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  return outcomes.ok() ? limit - (*outcomes)[0].remaining : -1;
}

}  // namespace rls
