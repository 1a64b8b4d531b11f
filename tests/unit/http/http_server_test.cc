// A port on real sockets and loops.

#include "http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "unit/http/http_test_client.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

// Answers at once, or on a thread of the test.
class TestHandler final : public HttpHandler {
 public:
  Plan PlanFor(const HttpRequest&) override { return {}; }

  void Handle(const HttpRequest& request, HttpReply reply) override {
    if (request.path != "/held") {
      reply.Send({.body = "now"});
      return;
    }
    const MutexLock lock(&mutex_);
    held_.push_back(std::move(reply));
    held_count_ += 1;
    held_count_.notify_all();
  }

  void AwaitHeld(int count) {
    for (int seen = held_count_; seen < count; seen = held_count_) {
      held_count_.wait(seen);
    }
  }

  void AnswerHeld() {
    std::vector<HttpReply> held;
    {
      const MutexLock lock(&mutex_);
      held.swap(held_);
    }
    for (HttpReply& reply : held) reply.Send({.body = "later"});
  }

 private:
  Mutex mutex_;
  std::vector<HttpReply> held_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int> held_count_{0};
};

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { loops_.Start(); }

  absl::StatusOr<std::unique_ptr<HttpServer>> New(const std::string& address) {
    return NewHttpServer(loops_, {.name = "http", .address = address}, handler_,
                         *clock_, *metrics_);
  }

  TestHandler handler_;
  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  LoopThreads loops_{2};
};

TEST_F(HttpServerTest, AnswersFromOtherThreadsReachTheirClients) {
  const auto server = New("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  constexpr int kClients = 20;
  constexpr int kRounds = 50;
  std::vector<HttpTestClient> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back((*server)->address());
  }
  for (int round = 1; round <= kRounds; ++round) {
    for (HttpTestClient& client : clients) {
      EXPECT_TRUE(client.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    handler_.AwaitHeld(round * kClients);
    handler_.AnswerHeld();
    for (HttpTestClient& client : clients) {
      EXPECT_EQ(client.ReadAnswer().body, "later");
    }
  }
}

TEST_F(HttpServerTest, ClientsMayLeaveWhileTheirAnswersAreGiven) {
  const auto server = New("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  constexpr int kRounds = 200;
  for (int round = 1; round <= kRounds; ++round) {
    {
      HttpTestClient client((*server)->address());
      EXPECT_TRUE(client.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n"));
      handler_.AwaitHeld(round);
    }
    handler_.AnswerHeld();
  }
  EXPECT_EQ(HttpTestClient((*server)->address()).Get("/").body, "now");
}

TEST_F(HttpServerTest, ShutdownWaitsForAnswers) {
  const auto server = New("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  HttpTestClient client((*server)->address());
  EXPECT_TRUE(client.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n"));
  handler_.AwaitHeld(1);
  (*server)->Drain();
  std::thread answer([this] { handler_.AnswerHeld(); });
  (*server)->Shutdown(absl::Minutes(10));
  answer.join();
  const HttpTestAnswer last = client.ReadAnswer();
  EXPECT_EQ(last.body, "later");
  EXPECT_EQ(last.header("connection"), "close");
}

TEST_F(HttpServerTest, ShutdownEndsUnfinishedRequests) {
  const auto server = New("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  HttpTestClient half((*server)->address());
  EXPECT_TRUE(half.Send("GET /ha"));
  HttpTestClient idle((*server)->address());
  EXPECT_EQ(idle.Get("/").status, 200);
  (*server)->Shutdown(absl::Milliseconds(10));
  EXPECT_EQ(half.ReadAll(), "");
  EXPECT_EQ(idle.ReadAll(), "");
}

TEST_F(HttpServerTest, ATakenAddressIsAnErrorThatNamesIt) {
  const auto first = New("127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = New((*first)->address());
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("cannot listen for HTTP on " + (*first)->address()));
}

}  // namespace
}  // namespace rls
