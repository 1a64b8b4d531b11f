#ifndef RLS_RPC_HEALTH_H_
#define RLS_RPC_HEALTH_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/queue_event.h"

namespace rls {

// grpc.health.v1 for the names "", "ratelimit" (envoyproxy/ratelimit's) and
// that of the rate limit service; all have one status.
//
// gRPC has a health service of its own; it is not used because its threads
// would poll the connections of all others: see
// docs/decisions/0001-completion-queues.md.
//
// Threads: SetServing() and Stop() may be called by any thread; everything else
// happens on the thread of the queue given to Start().
// Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
class Health {
 public:
  Health();
  ~Health();
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;

  grpc::Service& service() { return service_; }

  // Takes calls from `queue` from now on. `open` is the queue's count of calls
  // that are not over.
  void Start(grpc::ServerCompletionQueue& queue, size_t& open);

  void SetServing(bool serving);

  // Tells every watcher that nothing is served any more, and ends it.
  void Stop();

 private:
  class CheckCall;
  class WatchCall;
  using Response = grpc::health::v1::HealthCheckResponse;

  Response::ServingStatus StatusOf(const std::string& service) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Sends what a watcher does not know yet, one message at a time, and after
  // the last one of a stopped server ends the call.
  void Proceed(WatchCall& watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::health::v1::Health::AsyncService service_;
  std::unique_ptr<CheckCall> check_;
  Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<WatchCall*> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_RPC_HEALTH_H_
