#ifndef RLS_STORE_REDIS_PER_SECOND_ROUTER_H_
#define RLS_STORE_REDIS_PER_SECOND_ROUTER_H_

#include <memory>

#include "store_redis/router.h"

namespace rls {

// Counters of windows of one second on servers of their own, `per_second`; all
// others on `rest`. A take with both goes part by part, as in a cluster.
std::unique_ptr<Router> NewPerSecondRouter(EventLoop& loop,
                                           SteadyDuration command_timeout,
                                           std::unique_ptr<Router> rest,
                                           std::unique_ptr<Router> per_second);

}  // namespace rls

#endif  // RLS_STORE_REDIS_PER_SECOND_ROUTER_H_
