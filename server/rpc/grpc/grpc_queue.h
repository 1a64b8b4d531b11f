#ifndef RLS_RPC_GRPC_GRPC_QUEUE_H_
#define RLS_RPC_GRPC_GRPC_QUEUE_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"
#include "metrics/metrics.h"
#include "rpc/handler.h"

namespace rls {

class GrpcHealth;

// Receives events of a completion queue.
//
// Threads: the queue's thread, one event at a time.
class QueueClient {
 public:
  virtual ~QueueClient() = default;

  // If `ok` is false, the awaited event will never happen. The client may
  // delete itself.
  virtual void OnEvent(int event, bool ok) = 0;
};

// The tag that gRPC returns with an event: the receiver and the kind of event.
// Lifetime: until the event has arrived.
struct QueueTag {
  QueueClient* client;
  int event;
};

grpc::Status ToGrpc(const absl::Status& status);

// The rate limit service with undecoded requests: rpc/read_query.h decodes
// them.
using RawRateLimitService = envoy::service::ratelimit::v3::RateLimitService::
    WithRawMethod_ShouldRateLimit<
        envoy::service::ratelimit::v3::RateLimitService::Service>;

// The objects that all queues of a server share.
struct GrpcContext {
  GrpcContext(RateLimitHandler& handler, const Clock& clock, Metrics& metrics);

  RateLimitHandler& handler;
  const Clock& clock;
  RequestMetrics metrics;
  RawRateLimitService service;
};

// One completion queue, its thread, and the calls that wait on it.
//
// Lifetime: Start() it once after the server is built. The thread ends when the
// server is shut down and the last call has ended; the destructor waits for
// that.
class GrpcQueue {
 public:
  GrpcQueue(GrpcContext& context,
            std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~GrpcQueue();
  GrpcQueue(const GrpcQueue&) = delete;
  GrpcQueue& operator=(const GrpcQueue&) = delete;

  // If `health` is not null, this queue serves it too.
  void Start(GrpcHealth* health);

 private:
  class Call;

  void Serve();
  void AddCall();

  GrpcContext& context_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;

  // The queue's thread only.
  std::vector<std::unique_ptr<Call>> calls_;
  GrpcHealth* health_ = nullptr;
  size_t open_calls_ = 0;  // wait for a request, or have not ended
  int waiting_calls_ = 0;  // wait for a request
  bool shut_down_ = false;
  std::vector<Call*> arrived_;   // in this turn, not decided yet
  std::vector<Call*> finished_;  // in this turn, ready for the next request
};

}  // namespace rls

#endif  // RLS_RPC_GRPC_GRPC_QUEUE_H_
