#ifndef RLS_TESTS_UNIT_RPC_LEAN_LEAN_FIXTURE_H_
#define RLS_TESTS_UNIT_RPC_LEAN_LEAN_FIXTURE_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/socket.h"
#include "unit/limiter/fake_limiter.h"
#include "unit/rpc/lean/h2_frames.h"
#include "unit/rpc/raw_client.h"
#include "unit/rpc/transports.h"

namespace rls {

// A lean server on a free port. Clients send hand-made frames.
class LeanServerTest : public ::testing::Test {
 protected:
  void Start(RpcServerOptions options = {}) {
    if (options.address == RpcServerOptions().address) {
      options.address = "127.0.0.1:0";
    }
    if (options.threads == 0) options.threads = 1;
    auto server = NewLeanWithLoops(options, handler_, *clock_, *metrics_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  RawClient Connect() {
    if (server_ == nullptr) Start();
    return RawClient(server_->address());
  }

  // The response to one call on a new connection.
  Response Request(const std::string& path, const Fields& more,
                   const std::string& body) {
    RawClient client = Connect();
    client.Send(Preface() + RequestHead(1, path, more) + Data(1, body));
    return client.Await(1);
  }

  // A new client is served.
  void ExpectServed() {
    EXPECT_EQ(Request(kDecide, {}, Prefixed(RateLimitMessage()))
                  .trailer("grpc-status"),
              "0");
  }

  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  FakeLimiter limiter_;
  RateLimitHandler handler_{limiter_, *clock_, {}};
  std::unique_ptr<RpcServer> server_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_RPC_LEAN_LEAN_FIXTURE_H_
