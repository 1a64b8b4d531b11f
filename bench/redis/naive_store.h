#ifndef RLS_BENCH_REDIS_NAIVE_STORE_H_
#define RLS_BENCH_REDIS_NAIVE_STORE_H_

#include <memory>

#include "store_redis/redis_store.h"

namespace rls {

// What one would write first, to compare with: a script call for each counter
// of each request. With one connection each call is sent as it comes, whether
// or not earlier ones have been answered (a pipeline); with several each waits
// until one of them is free (a pool). Counts only.
std::unique_ptr<RedisStore> NewNaiveStore(const RedisStoreOptions& options,
                                          int connections);

}  // namespace rls

#endif  // RLS_BENCH_REDIS_NAIVE_STORE_H_
