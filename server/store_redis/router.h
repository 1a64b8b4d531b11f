#ifndef RLS_STORE_REDIS_ROUTER_H_
#define RLS_STORE_REDIS_ROUTER_H_

#include <cstddef>
#include <memory>

#include "absl/strings/string_view.h"
#include "store_redis/pending_take.h"
#include "store_redis/pipeline.h"
#include "store_redis/redis_target.h"

namespace rls {

// The way from one loop to the servers: knows which of them has which counters.
//
// Threads: its loop's only, but for usable() and ready().
class Router {
 public:
  virtual ~Router() = default;  // fails what waits

  // Begins to connect.
  virtual void Open() = 0;

  // May be asked by any thread: whether some take has a chance now, and whether
  // all servers answer that it needs to begin with.
  virtual bool usable() const = 0;
  virtual bool ready() const { return usable(); }

  virtual void Add(std::unique_ptr<PendingTake> take) = 0;
  // Sends what was added, as far as it is time. Call it after the last Add().
  virtual void Flush() = 0;

  // One call can reach keys of the same part.
  virtual size_t PartOf(absl::string_view) const { return 0; }
};

// The parts must outlive it.
std::unique_ptr<Router> NewRouter(const PipelineParts& parts,
                                  const RedisTarget& target);

}  // namespace rls

#endif  // RLS_STORE_REDIS_ROUTER_H_
