#ifndef RLS_BENCH_REDIS_NAIVE_STORE_H_
#define RLS_BENCH_REDIS_NAIVE_STORE_H_

#include <memory>

#include "store_redis/redis_store.h"

namespace rls {

// What one would write first, to compare with: a script call for each counter
// of each request, sent as it comes, on one connection. Counts only.
std::unique_ptr<RedisStore> NewNaiveStore(const RedisStoreOptions& options);

}  // namespace rls

#endif  // RLS_BENCH_REDIS_NAIVE_STORE_H_
