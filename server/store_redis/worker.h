#ifndef RLS_STORE_REDIS_WORKER_H_
#define RLS_STORE_REDIS_WORKER_H_

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "store_redis/pending_take.h"
#include "store_redis/redis_target.h"
#include "store_redis/router.h"

namespace rls {

// Servers with counters, and how they are spoken to; null: without TLS.
struct RedisServers {
  RedisTarget target;
  std::unique_ptr<TlsContext> tls;
};

struct WorkerParts {
  const RedisServers& servers;
  const RedisServers* per_second;  // of limits of a second; null: as all others
  Resolver& resolver;
  const Clock& clock;
  Exhausted& exhausted;
  SteadyDuration command_timeout;
  EventLoop* loop = nullptr;  // null: one of its own
};

// An event loop, its thread if it is its own, and its share of the way to
// Redis. A loop that is not its own must not run when the worker is destroyed.
//
// Threads: Add(), usable() and ready() may be called by many threads at once.
class Worker {
 public:
  explicit Worker(const WorkerParts& parts);
  ~Worker();  // stops, and fails what waits
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool usable() const { return router_->usable(); }
  bool ready() const { return router_->ready(); }
  void Add(std::unique_ptr<PendingTake> take);

  // Ends its loop and its thread, if they are its own.
  void Stop();

  bool LivesOn(const EventLoop* loop) const { return &loop_ == loop; }

 private:
  void Drain();

  const std::unique_ptr<EventLoop> own_loop_;  // null: another's
  EventLoop& loop_;
  const std::unique_ptr<Router> router_;
  std::thread thread_;
  Mutex mutex_;
  PendingTakes inbox_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_WORKER_H_
