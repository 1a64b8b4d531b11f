#include "base/thread_shard.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace rls {
namespace {

size_t Cores() {
  static const size_t count =
      std::max(size_t{1}, size_t{std::thread::hardware_concurrency()});
  return count;
}

thread_local size_t shard = 0;

}  // namespace

size_t ShardCount() { return 1 + Cores(); }

size_t ShardOfThisThread() { return shard; }

// In turn, so that threads that start together have different shards,
// independent of earlier claims.
void ClaimShard() {
  static std::atomic<size_t> claimed{0};
  shard = 1 + claimed.fetch_add(1, std::memory_order_relaxed) % Cores();
}

}  // namespace rls
