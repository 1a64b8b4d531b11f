#ifndef RLS_STORE_REDIS_WORKER_H_
#define RLS_STORE_REDIS_WORKER_H_

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "store/redis/redis_target.h"
#include "store/redis/refusals.h"
#include "store/redis/router.h"
#include "store/redis/script_call.h"

namespace rls {

// The servers of a target. A null `tls` means cleartext.
struct RedisServers {
  RedisTarget target;
  std::unique_ptr<TlsContext> tls;
};

struct WorkerDependencies {
  const RedisServers& servers;
  const RedisServers* per_second;  // null: `servers` has all counters
  Resolver& resolver;
  const Clock& clock;
  CounterListener& listener;
  Refusals& refusals;
  absl::string_view key_prefix;
  SteadyDuration command_timeout;
  SteadyDuration per_second_timeout;  // of `per_second`
  EventLoop* loop = nullptr;  // null: the worker creates a loop and a thread
};

// An event loop with its router, and an inbox for takes from all threads.
//
// Threads: Add(), usable(), ready(), attempted() and RunsOn() may be called by
// many threads at once. The loop calls the callbacks of the takes.
// Lifetime: the members of the dependencies must outlive the worker. A loop
// that the worker did not create must not run when the worker is destroyed.
class Worker {
 public:
  // Begins to connect.
  explicit Worker(const WorkerDependencies& dependencies);
  ~Worker();  // fails the takes that wait
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The same as the functions of Router.
  bool usable() const { return router_->usable(); }
  bool ready() const { return router_->ready(); }
  bool attempted() const { return router_->attempted(); }

  void Add(std::unique_ptr<PendingTake> take);

  // Ends the loop and the thread that the worker has created.
  void Stop();

  bool RunsOn(const EventLoop* loop) const { return &loop_ == loop; }

 private:
  void Drain();

  const std::unique_ptr<EventLoop> own_loop_;
  EventLoop& loop_;
  const Clock& clock_;
  const std::unique_ptr<Router> router_;
  std::thread thread_;
  Mutex mutex_;
  PendingTakes inbox_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_WORKER_H_
