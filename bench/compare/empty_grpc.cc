// A rate limit service on gRPC C++ that parses a request, answers OK and counts
// nothing. Measures the cost of the framework.
//
//   empty_grpc PORT [THREADS]
//
// Each thread has one completion queue. The next call reuses the messages of a
// call.

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compare/empty_service.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using envoy::service::ratelimit::v3::RateLimitService;

// More calls than any case has in flight.
constexpr size_t kCallsOfAQueue = 512;

// Serves calls, one after the other.
class Call {
 public:
  Call(RateLimitService::AsyncService& service,
       grpc::ServerCompletionQueue& queue)
      : service_(service), queue_(queue) {
    Arm();
  }

  void Proceed(bool ok) {
    if (!ok || answered_) {
      Arm();
      return;
    }
    answered_ = true;
    WriteEmptyAnswer(request_, response_);
    writer_->Finish(response_, grpc::Status::OK, this);
  }

 private:
  void Arm() {
    answered_ = false;
    writer_.reset();
    context_.emplace();
    writer_.emplace(&*context_);
    service_.RequestShouldRateLimit(&*context_, &request_, &*writer_, &queue_,
                                    &queue_, this);
  }

  RateLimitService::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<RateLimitResponse>> writer_;
  RateLimitRequest request_;
  RateLimitResponse response_;
  bool answered_ = false;
};

void Serve(RateLimitService::AsyncService& service,
           grpc::ServerCompletionQueue& queue) {
  std::vector<std::unique_ptr<Call>> calls;
  for (size_t i = 0; i < kCallsOfAQueue; ++i) {
    calls.push_back(std::make_unique<Call>(service, queue));
  }
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
}

// Serves until it is killed.
int Run(int port, int threads) {
  RateLimitService::AsyncService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port),
                           grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < threads; ++i) {
    queues.push_back(builder.AddCompletionQueue());
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return EXIT_FAILURE;
  std::vector<std::thread> others;
  for (size_t i = 1; i < queues.size(); ++i) {
    others.emplace_back(
        [&service, &queue = *queues[i]] { Serve(service, queue); });
  }
  Serve(service, *queues.front());
  for (std::thread& other : others) other.join();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rls

int main(int argc, char** argv) {
  const auto arguments = rls::ReadEmptyArguments(argc, argv);
  if (!arguments.has_value()) return 2;
  return rls::Run(arguments->port, arguments->threads);
}
