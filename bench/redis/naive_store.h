#ifndef RLS_BENCH_REDIS_NAIVE_STORE_H_
#define RLS_BENCH_REDIS_NAIVE_STORE_H_

#include <memory>

#include "store/redis/redis_store.h"

namespace rls {

// The obvious simple store, for comparison: one script call for each counter of
// each request. With one connection, each script call is sent immediately, even
// if earlier ones have no reply yet (a pipeline). With several connections,
// each script call waits for a free connection (a pool). The outcomes are not
// filled.
std::unique_ptr<RedisStore> NewNaiveStore(const RedisStoreOptions& options,
                                          int connections);

}  // namespace rls

#endif  // RLS_BENCH_REDIS_NAIVE_STORE_H_
