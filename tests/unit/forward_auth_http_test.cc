// /v1/forward-auth over real sockets: methods, bodies, connections.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "admin/admin_server.h"
#include "base/clock.h"
#include "unit/fake_limiter.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ForwardAuthHttpTest : public ::testing::Test {
 protected:
  // At the first request, so that the test can set the limiter's answer first.
  int Port() {
    if (server_ == nullptr) {
      auto server = NewAdminServer(
          {.http_address = "127.0.0.1:0", .debug_address = "127.0.0.1:0"},
          {.handler = handler_,
           .forward_auth_handler = handler_,
           .metrics = *metrics_,
           .rules = rules_,
           .not_ready = [] { return ""; }});
      EXPECT_TRUE(server.ok()) << server.status();
      server_ = *std::move(server);
    }
    const std::string& address = server_->http_address();
    int port = 0;
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    return port;
  }

  // Sends the bytes as they are and reads until the server ends the connection.
  std::string Exchange(const std::string& bytes) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(Port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address),
                        sizeof(address)),
              0);
    EXPECT_EQ(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = ::read(socket, buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<size_t>(got));
    }
    ::close(socket);
    return answer;
  }

  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  RuleBookHolder rules_;
  FakeLimiter limiter_;
  RateLimitHandler handler_{limiter_, *clock_, {.headers = true}};
  std::unique_ptr<AdminServer> server_;
};

std::string Head(const std::string& method, const std::string& headers = "") {
  return absl::StrCat(method, " /v1/forward-auth HTTP/1.1\r\nHost: x\r\n",
                      headers, "\r\n");
}

constexpr char kLast[] = "Connection: close\r\n";

int CountAnswers(const std::string& text) {
  int count = 0;
  for (size_t at = text.find("HTTP/1.1 "); at != text.npos;
       at = text.find("HTTP/1.1 ", at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(ForwardAuthHttpTest, EveryMethodOfAGatewayIsAnswered) {
  int asked = 0;
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH",
                             "OPTIONS", "TRACE", "CONNECT"}) {
    EXPECT_THAT(Exchange(Head(method, kLast)), StartsWith("HTTP/1.1 200 "))
        << method;
    EXPECT_EQ(limiter_.checks(), ++asked) << method;
  }
}

TEST_F(ForwardAuthHttpTest, OtherPathsAreNotIt) {
  httplib::Client client("127.0.0.1", Port());
  for (const char* path : {"/v1/forward-auth/", "/v1/forward-authority", "/v1",
                           "/V1/forward-auth"}) {
    EXPECT_EQ(client.Get(path)->status, 404) << path;
  }
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(ForwardAuthHttpTest, ARefusalIs429WithItsBody) {
  CompiledRule rule{Rule{}};
  rule.message = "no";
  limiter_.SetAnswer([&](const Query&, auto done) {
    Verdict verdict;
    verdict.over_limit = true;
    verdict.statuses.push_back({.over_limit = true,
                                .policy = &rule.policy,
                                .rule = &rule,
                                .reset = absl::Seconds(7)});
    verdict.leading = &verdict.statuses[0];
    done(&verdict);
  });
  httplib::Client client("127.0.0.1", Port());
  const auto refused = client.Get("/v1/forward-auth");
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->body, R"({"status": 429, "message": "no"})");
  EXPECT_EQ(refused->get_header_value("content-type"), "application/json");
  EXPECT_EQ(refused->get_header_value("retry-after"), "7");
  EXPECT_FALSE(refused->has_header("ratelimit-body"));
  EXPECT_EQ(client.Get("/v1/forward-auth?body=header")
                ->get_header_value("ratelimit-body"),
            refused->body);
}

TEST_F(ForwardAuthHttpTest, AStoreThatIsAwayIs503AndABadRequest400) {
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  });
  httplib::Client client("127.0.0.1", Port());
  EXPECT_EQ(client.Get("/v1/forward-auth")->status, 503);
  EXPECT_EQ(client.Get("/v1/forward-auth")->body, "store is away");
}

TEST_F(ForwardAuthHttpTest, HeadersOfOneNameAreOneValue) {
  std::string user;
  limiter_.SetAnswer([&](const Query& query, auto done) {
    user = std::string(query.descriptors[0].entries[0].value);
    Verdict verdict;
    done(&verdict);
  });
  std::string headers = kLast;
  std::vector<std::string> users;
  // So many headers that a hash table of them has grown between the first value
  // and the last.
  for (int i = 0; i < 30; ++i) {
    users.push_back(absl::StrCat("user-", i));
    absl::StrAppend(&headers,
                    i % 2 == 0 ? "X-User-ID: " : "x-user-id: ", users.back(),
                    "\r\nX-Other-", i, ": other\r\n");
  }
  Exchange(Head("GET", headers));
  EXPECT_EQ(user, absl::StrJoin(users, ","));
}

TEST_F(ForwardAuthHttpTest, APlainBodyIsReadAndDropped) {
  httplib::Client client("127.0.0.1", Port());
  client.set_keep_alive(true);
  for (int i = 1; i <= 2; ++i) {
    EXPECT_EQ(client
                  .Post("/v1/forward-auth", std::string(20'000, 'x'),
                        "application/x-www-form-urlencoded")
                  ->status,
              200);
    EXPECT_EQ(client.Get("/v1/forward-auth")->status, 200);
    EXPECT_EQ(limiter_.checks(), 2 * i);
  }
}

// A gateway that forwards the client's body must not read the answer to what
// the client has written there as that to another client's request.
TEST_F(ForwardAuthHttpTest, ABodyIsNeverTakenForARequest) {
  const std::string hidden = Head("GET", "X-User-ID: victim\r\n");
  const std::string length =
      absl::StrCat("Content-Length: ", hidden.size(), "\r\n");
  const std::string chunked =
      absl::StrCat(absl::Hex(hidden.size()), "\r\n", hidden, "\r\n0\r\n\r\n");
  const std::string cases[] = {
      Head("GET", length) + hidden,
      Head("OPTIONS", length) + hidden,
      Head("GET", "Transfer-Encoding: chunked\r\n") + chunked,
      Head("POST", "Transfer-Encoding: chunked\r\n") + chunked,
      Head("POST", length + "Content-Length: 0\r\n") + hidden,
      Head("POST", length + "Content-Type: multipart/form-data\r\n") + hidden,
      Head("POST", length + "Content-Encoding: gzip\r\n") + hidden,
      Head("POST", "Content-Length: 99999999999999999999\r\n") + hidden,
  };
  for (const std::string& request : cases) {
    const std::string answer = Exchange(request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(answer, HasSubstr("Connection: close")) << request;
    EXPECT_EQ(CountAnswers(answer), 1) << request;
  }
  EXPECT_EQ(limiter_.checks(), 0);
}

// Gateways keep connections open, and hold them while a request waits.
TEST_F(ForwardAuthHttpTest, ManyHeldRequestsLeaveTheOtherPagesAnswering) {
  constexpr int kHeld = 40;
  std::latch release(1);
  limiter_.SetAnswer([&](const Query&, auto done) {
    release.wait();
    Verdict verdict;
    done(&verdict);
  });
  const int port = Port();
  std::vector<std::thread> callers;
  for (int i = 0; i < kHeld; ++i) {
    callers.emplace_back([port] {
      httplib::Client client("127.0.0.1", port);
      EXPECT_EQ(client.Get("/v1/forward-auth")->status, 200);
    });
  }
  limiter_.AwaitChecks(kHeld);
  EXPECT_EQ(httplib::Client("127.0.0.1", port).Get("/live")->status, 200);
  release.count_down();
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace rls
