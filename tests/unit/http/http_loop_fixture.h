#ifndef RLS_TESTS_UNIT_HTTP_HTTP_LOOP_FIXTURE_H_
#define RLS_TESTS_UNIT_HTTP_HTTP_LOOP_FIXTURE_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fake_clock.h"
#include "fake_loop.h"
#include "http/http_bounds.h"
#include "http/http_loop.h"
#include "unit/http/http_test_client.h"

namespace rls {

// Answers a request with its method, target and body. Keeps requests to /held
// until the test answers them.
class EchoHandler final : public HttpHandler {
 public:
  Plan PlanFor(const HttpRequest& request) override {
    return {.needs_body = request.path == "/body",
            .is_vital = request.path == "/vital"};
  }

  void Handle(const HttpRequest& request, HttpReply reply) override {
    seen.push_back(
        absl::StrCat(request.method, " ", request.path, " ", request.body));
    if (request.path == "/held") {
      held.push_back(std::move(reply));
    } else if (request.path == "/big") {
      reply.Send({.body = std::string(kBigBytes, 'b')});
    } else if (request.path != "/nothing") {
      reply.Send({.type = "text/plain", .body = seen.back()});
    }
  }

  static constexpr size_t kBigBytes = 1 << 20;

  std::vector<std::string> seen;
  std::vector<HttpReply> held;
};

// One loop of a port. Its time and its turns are those of the test.
class HttpLoopTest : public ::testing::Test {
 protected:
  static constexpr size_t kMaxConnections = 8;
  static constexpr size_t kMaxOfPeer = 5;
  static constexpr size_t kMaxUndecided = 6;

  ~HttpLoopTest() override {
    loop_.Post([this] { handler_.held.clear(); });
    http_.Shutdown(absl::ZeroDuration());
    Pass(absl::ZeroDuration());
    http_.AwaitQuiet();
  }

  HttpTestClient Connect(const std::string& peer = "192.0.2.1") {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    EXPECT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    HttpTestClient client{FileDescriptor(ends[1])};
    http_.Adopt(FileDescriptor(ends[0]), PeerOf(peer));
    return client;
  }

  static PeerAddress PeerOf(const std::string& text) {
    sockaddr_storage address = {};
    auto& name = reinterpret_cast<sockaddr_in&>(address);
    name.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &name.sin_addr), 1);
    return PeerAddress::Of(address);
  }

  // Runs turns of the loop until nothing is ready.
  void Run() {
    for (int i = 0; i < kMaxTurns && Turn(); ++i) {
    }
  }
  // False: nothing was ready.
  bool Turn() {
    bool called = false;
    loop_.Post([&] { called = loop_.Dispatch(); });
    return called;
  }
  void Pass(absl::Duration duration) {
    clock_.Advance(duration);
    loop_.Post([this] { loop_.FireTimers(); });
    Run();
  }

  HttpTestAnswer Ask(HttpTestClient& client, absl::string_view target,
                     absl::string_view method = "GET") {
    Send(client,
         absl::StrCat(method, " ", target, " HTTP/1.1\r\n", "Host: x\r\n\r\n"));
    return client.ReadAnswer(method == "HEAD");
  }
  void Send(HttpTestClient& client, absl::string_view bytes) {
    EXPECT_TRUE(client.Send(bytes));
    Run();
  }

  // Answers the request that the handler has kept, as another thread would.
  void AnswerHeld(size_t index, absl::string_view body = "") {
    loop_.Post([&] { handler_.held[index].Send({.body = body}); });
    Run();
  }

  // True: the server has closed the connection, and sent nothing before.
  static bool IsClosed(const HttpTestClient& client) {
    char byte = 0;
    return recv(client.fd(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  static bool IsOpen(const HttpTestClient& client) {
    char byte = 0;
    return recv(client.fd(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  double Refused(const std::string& reason) {
    const std::string line =
        absl::StrCat("ratelimitd_http_refused_total{port=\"http\",reason=\"",
                     reason, "\"} ");
    const std::string text = metrics_->Text();
    const size_t at = text.find(line);
    EXPECT_NE(at, text.npos) << reason;
    return std::stod(text.substr(at + line.size()));
  }

  static constexpr int kMaxTurns = 1000;

  FakeClock clock_;
  FakeLoop loop_{clock_};
  EchoHandler handler_;
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  HttpRefusals refusals_{"http", *metrics_, clock_};
  HttpLoop http_{{.loop = loop_,
                  .handler = handler_,
                  .clock = clock_,
                  .refusals = refusals_,
                  .max_connections = kMaxConnections,
                  .max_connections_of_peer = kMaxOfPeer,
                  .max_undecided = kMaxUndecided}};
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_HTTP_HTTP_LOOP_FIXTURE_H_
