#ifndef RLS_STORE_REDIS_CLUSTER_ROUTER_H_
#define RLS_STORE_REDIS_CLUSTER_ROUTER_H_

#include <memory>

#include "store_redis/router.h"

namespace rls {

// Sends each take to the master of its slot, by a map that it keeps up to date,
// each master's together and to all masters at once. A master that has not got
// the slot any more, or not yet, says so and has done nothing: the take is sent
// where it says. A take whose keys no call can reach together is a SplitTake.
//
// A master that is lost fails the takes of its slots only.
std::unique_ptr<Router> NewClusterRouter(const PipelineParts& parts,
                                         const RedisTarget& target);

}  // namespace rls

#endif  // RLS_STORE_REDIS_CLUSTER_ROUTER_H_
