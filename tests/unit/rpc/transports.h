#ifndef RLS_TESTS_UNIT_RPC_TRANSPORTS_H_
#define RLS_TESTS_UNIT_RPC_TRANSPORTS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "rpc/grpc/grpc_server.h"
#include "rpc/lean/lean_server.h"

namespace rls {

// The lean transport together with its event loops.
class LeanWithLoops final : public RpcServer {
 public:
  LeanWithLoops(std::unique_ptr<LoopThreads> loops,
                std::unique_ptr<RpcServer> server)
      : loops_(std::move(loops)), server_(std::move(server)) {}

  const std::string& address() const override { return server_->address(); }
  void SetServing(bool serving) override { server_->SetServing(serving); }
  void Shutdown(absl::Duration grace) override { server_->Shutdown(grace); }

 private:
  const std::unique_ptr<LoopThreads> loops_;  // outlives the server
  const std::unique_ptr<RpcServer> server_;
};

inline absl::StatusOr<std::unique_ptr<RpcServer>> NewLeanWithLoops(
    const RpcServerOptions& options, RateLimitHandler& handler,
    const Clock& clock, Metrics& metrics) {
  auto loops = std::make_unique<LoopThreads>(ThreadsOf(options));
  loops->Start();
  auto server = NewLeanServer(*loops, options, handler, clock, metrics);
  if (!server.ok()) return server.status();
  return std::make_unique<LeanWithLoops>(std::move(loops), *std::move(server));
}

struct Transport {
  const char* name;
  decltype(&NewGrpcServer) make;
};

// For test suites that run on both transports.
inline auto BothTransports() {
  return ::testing::Values(Transport{"Grpc", NewGrpcServer},
                           Transport{"Lean", NewLeanWithLoops});
}
inline std::string NameOfTransport(
    const ::testing::TestParamInfo<Transport>& one) {
  return one.param.name;
}

}  // namespace rls

#endif  // RLS_TESTS_UNIT_RPC_TRANSPORTS_H_
