#include "compare/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "compare/empty_h2_connection.h"
#include "compare/latencies.h"
#include "compare/traffic.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using ::testing::DoubleNear;
using ::testing::Ge;
using ::testing::Le;

TEST(LatenciesTest, KeepsTimesToWithin8PerMille) {
  for (uint64_t ns = 1; ns < uint64_t{1} << 62; ns = ns * 3 + 1) {
    Latencies latencies;
    latencies.Add(ns);
    latencies.Add(UINT64_MAX);
    const uint64_t kept = latencies.Percentile(0.5);
    EXPECT_THAT(kept, Ge(ns));
    EXPECT_THAT(kept - ns, Le(ns / 125)) << ns;
  }
}

TEST(LatenciesTest, PercentileIsTheLeastTimeThatTheFractionDoesNotExceed) {
  Latencies low;
  Latencies latencies;
  for (uint64_t ns = 1; ns <= 50; ++ns) low.Add(ns);
  for (uint64_t ns = 51; ns <= 100; ++ns) latencies.Add(ns);
  latencies.Add(low);
  EXPECT_EQ(latencies.count(), 100);
  EXPECT_EQ(latencies.Percentile(0), 1);
  EXPECT_EQ(latencies.Percentile(0.5), 50);
  EXPECT_EQ(latencies.Percentile(0.99), 99);
  EXPECT_EQ(latencies.Percentile(1), 100);
  EXPECT_EQ(latencies.max_ns(), 100);
  EXPECT_DOUBLE_EQ(latencies.mean_ns(), 50.5);
}

RateLimitRequest NextOf(Traffic& traffic) {
  std::string message;
  traffic.WriteNext(message);
  EXPECT_EQ(message[0], 0);  // not compressed
  uint32_t size = 0;
  std::copy_n(message.data() + 1, 4, reinterpret_cast<char*>(&size));
  EXPECT_EQ(ntohl(size), message.size() - 5);
  RateLimitRequest request;
  EXPECT_TRUE(request.ParseFromString(message.substr(5)));
  return request;
}

TEST(TrafficTest, WritesRequestsThatProtobufReads) {
  Traffic traffic({.domain = "shop", .descriptors = 3, .keys = 1}, 1);
  const RateLimitRequest request = NextOf(traffic);
  EXPECT_EQ(request.domain(), "shop");
  ASSERT_EQ(request.descriptors_size(), 3);
  const char* const keys[] = {"user", "d1", "d2"};
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(request.descriptors(i).entries_size(), 1);
    EXPECT_EQ(request.descriptors(i).entries(0).key(), keys[i]);
    EXPECT_EQ(request.descriptors(i).entries(0).value(), "u0");
  }
}

// Each key's share of many requests.
std::map<std::string, double> SharesOf(const TrafficSettings& settings) {
  constexpr int kRequests = 100'000;
  Traffic traffic(settings, 1);
  std::map<std::string, double> shares;
  for (int i = 0; i < kRequests; ++i) {
    shares[NextOf(traffic).descriptors(0).entries(0).value()] +=
        1.0 / kRequests;
  }
  return shares;
}

TEST(TrafficTest, KeysAreUniformOrZipf) {
  const auto uniform = SharesOf({.keys = 4});
  ASSERT_EQ(uniform.size(), 4);
  for (const auto& [key, share] : uniform) {
    EXPECT_THAT(share, DoubleNear(0.25, 0.01)) << key;
  }
  // The weights of the keys are 1, 1/2, 1/3 and 1/4.
  auto zipf = SharesOf({.keys = 4, .zipf = 1});
  ASSERT_EQ(zipf.size(), 4);
  EXPECT_THAT(zipf["u0"], DoubleNear(0.48, 0.01));
  EXPECT_THAT(zipf["u1"], DoubleNear(0.24, 0.01));
  EXPECT_THAT(zipf["u3"], DoubleNear(0.12, 0.01));
}

// The empty service, for one client. Delays the second answer.
class LateServer {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LateServer(Clock::duration late) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), any, size), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    EXPECT_EQ(getsockname(listener_.get(), any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, late] {
      FileDescriptor client(accept4(listener_.get(), nullptr, nullptr,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
      Serve(std::move(client), late);
    });
  }
  ~LateServer() { thread_.join(); }

  int port() const { return port_; }

 private:
  static void Serve(FileDescriptor client, Clock::duration late) {
    const FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
    EmptyH2Memory memory;
    EmptyH2Connection connection(std::move(client), epoll.get(), memory);
    const auto proceed = [&] {
      epoll_event event;
      epoll_wait(epoll.get(), &event, 1, -1);
      return connection.Proceed();
    };
    // An answered call returns to the spare calls.
    while (memory.spare.empty()) ASSERT_TRUE(proceed());
    std::this_thread::sleep_until(Clock::now() + late);
    while (proceed()) {
    }
  }

  const FileDescriptor listener_{socket(AF_INET, SOCK_STREAM, 0)};
  int port_ = 0;
  std::thread thread_;
};

TEST(LoadTest, ClosedLoopCountsEveryAnswer) {
  LateServer server(std::chrono::seconds(0));
  const LoadResult result = RunLoad({.port = server.port(),
                                     .traffic = {.descriptors = 5},
                                     .connections = 1,
                                     .warm_up_s = 0,
                                     .seconds = 0.5,
                                     .want_limits = true});
  EXPECT_GT(result.answers.ok, 0);
  EXPECT_EQ(result.answers.ok, result.answers.latencies.count());
  EXPECT_EQ(result.answers.failed, 0);
}

// Only one call can be in flight. A load that waits for an answer before it
// counts the next call would report one slow call. Here all calls that become
// due during the delay are slow, and no call is missing.
TEST(LoadTest, OpenLoopCountsFromTheDueTimeOfACall) {
  LateServer server(std::chrono::seconds(1));
  const LoadResult result = RunLoad({.port = server.port(),
                                     .connections = 1,
                                     .streams = 1,
                                     .rate = 1000,
                                     .warm_up_s = 0,
                                     .seconds = 0.2});
  EXPECT_EQ(result.answers.latencies.count(), 200);
  EXPECT_EQ(result.answers.ok, 200);
  // The last call is due 199 ms after the start. The start is soon after the
  // beginning of the server's delay.
  EXPECT_GT(result.answers.latencies.Percentile(0), 400'000'000);
  EXPECT_GT(result.answers.sent_late, 190);
}

}  // namespace
}  // namespace rls
