#ifndef RLS_STORE_REDIS_ROUTER_H_
#define RLS_STORE_REDIS_ROUTER_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "net/event_loop.h"
#include "store/redis/pipeline.h"
#include "store/redis/redis_target.h"
#include "store/redis/script_call.h"

namespace rls {

// Sends the takes of one loop to the servers that have their counters.
//
// Threads: the loop's only, except usable(), ready() and attempted().
class Router {
 public:
  virtual ~Router() = default;  // fails the takes that wait

  // Begins to connect.
  virtual void Open() = 0;

  // Whether at least some takes can succeed now. Any thread may call it.
  virtual bool usable() const = 0;
  // Whether all servers are usable that the router needs at the start. Any
  // thread may call it.
  virtual bool ready() const { return usable(); }
  // Whether the first attempt to connect to these servers has ended, with
  // success or not. Any thread may call it.
  virtual bool attempted() const = 0;

  virtual void Add(std::unique_ptr<PendingTake> take) = 0;
  // Sends the added takes, as far as the pipelines accept them. Call it after
  // the last Add().
  virtual void Flush() = 0;

  // One script call can reach two keys if their slots are equal.
  virtual size_t SlotOf(absl::string_view) const { return 0; }
};

// The router for a server, a server found by Sentinel, or a Redis Cluster.
//
// In a cluster each take goes to the master of its hash slot, by a map that the
// router keeps up to date. A master that does not have the slot (any more, or
// yet) redirects the take. The router splits a take whose keys are in several
// slots: see SplitTakes. A lost master fails only the takes of its own slots.
//
// Lifetime: the members of `dependencies` must outlive the router.
std::unique_ptr<Router> NewRouter(const PipelineDependencies& dependencies,
                                  const RedisTarget& target);

// The time limit of a take: `per_second` of counters with windows of one
// second, `rest` of all others, and the longer one of a take with both.
absl::Duration TimeLimitOf(absl::Span<const Charge> charges,
                           absl::Duration rest,
                           std::optional<absl::Duration> per_second);

// Sends counters with windows of one second to `per_second`, and all others to
// `rest`. Splits a take that has both: see SplitTakes.
std::unique_ptr<Router> NewPerSecondRouter(EventLoop& loop,
                                           SteadyDuration command_timeout,
                                           std::unique_ptr<Router> rest,
                                           std::unique_ptr<Router> per_second);

}  // namespace rls

#endif  // RLS_STORE_REDIS_ROUTER_H_
