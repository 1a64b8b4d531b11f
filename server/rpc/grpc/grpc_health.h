#ifndef RLS_RPC_GRPC_GRPC_HEALTH_H_
#define RLS_RPC_GRPC_GRPC_HEALTH_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/grpc/grpc_queue.h"
#include "rpc/health.h"

namespace rls {

// Serves rpc/health on a completion queue.
//
// The health service of gRPC C++ is not used, because its threads would poll
// the connections of all other services
// (docs/decisions/0001-completion-queues.md).
//
// Threads: any thread may call SetServing() and Stop(). The calls are served on
// the thread of the queue.
class GrpcHealth {
 public:
  GrpcHealth();
  ~GrpcHealth();
  GrpcHealth(const GrpcHealth&) = delete;
  GrpcHealth& operator=(const GrpcHealth&) = delete;

  grpc::Service& service() { return service_; }

  // Begins to take calls from `queue`. `open` is the queue's number of calls
  // that have not ended.
  void Start(grpc::ServerCompletionQueue& queue, size_t& open);

  void SetServing(bool serving);

  // Not serving, and every Watch call ends.
  void Stop();

 private:
  using Service = grpc::health::v1::Health::AsyncService;
  template <typename Request, typename Response>
  class UnaryCall;
  class WatchCall;

  absl::StatusOr<grpc::health::v1::HealthCheckResponse> AnswerTo(
      const grpc::health::v1::HealthCheckRequest& request);
  absl::StatusOr<grpc::health::v1::HealthListResponse> AnswerTo(
      const grpc::health::v1::HealthListRequest& request);

  // Sends the current status to a watcher that does not have it, one message at
  // a time. After Stop() and the last message, ends the call.
  void Proceed(WatchCall& watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Service service_;
  std::unique_ptr<QueueClient> check_;
  std::unique_ptr<QueueClient> list_;
  Mutex mutex_;
  Health health_ ABSL_GUARDED_BY(mutex_);
  std::set<WatchCall*> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_RPC_GRPC_GRPC_HEALTH_H_
