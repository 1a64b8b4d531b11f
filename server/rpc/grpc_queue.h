#ifndef RLS_RPC_GRPC_QUEUE_H_
#define RLS_RPC_GRPC_QUEUE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"
#include "metrics/metrics.h"
#include "rpc/handler.h"
#include "rpc/health.h"
#include "rpc/request_metrics.h"

namespace rls {

// The service with its requests left as bytes: see read_query.h.
using RawRateLimitService = envoy::service::ratelimit::v3::RateLimitService::
    WithRawMethod_ShouldRateLimit<
        envoy::service::ratelimit::v3::RateLimitService::Service>;

// What all queues of a server share.
struct GrpcContext {
  GrpcContext(RateLimitHandler& handler, const Clock& clock, Metrics& metrics);

  RateLimitHandler& handler;
  const Clock& clock;
  RequestMetrics metrics;
  RawRateLimitService service;
};

// One completion queue, its thread, and the calls that wait on it.
//
// Start() it once the server is built. It ends by itself when the server has
// been shut down and its last call is over; the destructor waits for that.
class GrpcQueue {
 public:
  GrpcQueue(GrpcContext& context,
            std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~GrpcQueue();
  GrpcQueue(const GrpcQueue&) = delete;
  GrpcQueue& operator=(const GrpcQueue&) = delete;

  // `health`, when given, is served by this queue too.
  void Start(Health* health);

 private:
  class Call;

  void Serve();
  void AddCall();

  GrpcContext& context_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;

  // Of the thread alone.
  std::vector<std::unique_ptr<Call>> calls_;
  Health* health_ = nullptr;
  size_t open_calls_ = 0;  // waiting for a request, or not over yet
  int waiting_calls_ = 0;  // for a request
  bool shut_down_ = false;
  std::vector<Call*> arrived_;   // of this turn, not decided yet
  std::vector<Call*> finished_;  // of this turn, to be used again
};

}  // namespace rls

#endif  // RLS_RPC_GRPC_QUEUE_H_
