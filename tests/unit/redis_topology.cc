#include "unit/redis_topology.h"

#include <utility>

#include "support/wait_until.h"

namespace rls {

RedisTarget TargetOf(const std::string& url) {
  absl::StatusOr<RedisTarget> target = ParseRedisUrl(url);
  EXPECT_TRUE(target.ok()) << target.status();
  return *std::move(target);
}

TopologyStore::TopologyStore(RedisTarget target, int threads) {
  auto store = NewRedisStore({.target = std::move(target),
                              .key_prefix = "topology:",
                              .command_timeout = absl::Seconds(5),
                              .threads = threads,
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

absl::StatusOr<Outcome> TopologyStore::Take(const std::string& key,
                                            int64_t limit) {
  const auto outcomes = TakeAndWait(
      *store_,
      {{.key = key, .policy = {.limit = limit, .window = absl::Hours(1)}}},
      Accounting::kAllOrNothing, absl::InfiniteFuture());
  if (!outcomes.ok()) return outcomes.status();
  return (*outcomes)[0];
}

}  // namespace rls
