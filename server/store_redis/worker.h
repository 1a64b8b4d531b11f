#ifndef RLS_STORE_REDIS_WORKER_H_
#define RLS_STORE_REDIS_WORKER_H_

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "store_redis/pending_take.h"
#include "store_redis/redis_target.h"
#include "store_redis/router.h"

namespace rls {

struct WorkerParts {
  Resolver& resolver;
  const TlsContext* tls;
  const Clock& clock;
  Exhausted& exhausted;
  SteadyDuration command_timeout;
};

// An event loop, its thread, and its share of the way to Redis.
//
// Threads: Add() and usable() may be called by many threads at once.
class Worker {
 public:
  Worker(const WorkerParts& parts, const RedisTarget& target);
  ~Worker();  // fails what waits
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool usable() const { return router_->usable(); }
  void Add(std::unique_ptr<PendingTake> take);

 private:
  void Drain();

  const std::unique_ptr<EventLoop> loop_;
  const std::unique_ptr<Router> router_;
  std::thread thread_;
  Mutex mutex_;
  PendingTakes inbox_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_WORKER_H_
