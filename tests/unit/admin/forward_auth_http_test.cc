// /v1/forward-auth over real sockets: methods, bodies, connections.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "admin/admin_server.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "unit/http/http_test_client.h"
#include "unit/limiter/fake_limiter.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ForwardAuthHttpTest : public ::testing::Test {
 protected:
  // Starts the server on the first use, so that a test can set the answer of
  // the limiter before.
  const std::string& Address() {
    if (server_ == nullptr) {
      loops_.Start();
      auto server = NewAdminServer(
          {.http_address = "127.0.0.1:0", .debug_address = "127.0.0.1:0"},
          {.loops = loops_,
           .limiter = limiter_,
           .clock = *clock_,
           .metrics = *metrics_,
           .rules = rules_,
           .answers = {},
           .not_ready = [] { return ""; }});
      EXPECT_TRUE(server.ok()) << server.status();
      server_ = *std::move(server);
    }
    return server_->http_address();
  }

  // Sends the bytes unchanged and reads until the server closes the connection.
  std::string Exchange(const std::string& bytes) {
    HttpTestClient client(Address());
    EXPECT_TRUE(client.Send(bytes));
    return client.ReadAll();
  }

  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  RuleBookHolder rules_;
  FakeLimiter limiter_;
  LoopThreads loops_{2};
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
  int checks = 0;
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH",
                             "OPTIONS", "TRACE", "CONNECT"}) {
    EXPECT_THAT(Exchange(Head(method, kLast)), StartsWith("HTTP/1.1 200 "))
        << method;
    EXPECT_EQ(limiter_.checks(), ++checks) << method;
  }
}

TEST_F(ForwardAuthHttpTest, OtherPathsAreNotFound) {
  HttpTestClient client(Address());
  for (const char* path : {"/v1/forward-auth/", "/v1/forward-authority", "/v1",
                           "/V1/forward-auth"}) {
    EXPECT_EQ(client.Get(path).status, 404) << path;
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
  HttpTestClient client(Address());
  const auto refused = client.Get("/v1/forward-auth");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body, R"({"status": 429, "message": "no"})");
  EXPECT_EQ(refused.header("content-type"), "application/json");
  EXPECT_EQ(refused.header("retry-after"), "7");
  EXPECT_FALSE(refused.headers.contains("ratelimit-body"));
  EXPECT_EQ(client.Get("/v1/forward-auth?body=header").header("ratelimit-body"),
            refused.body);
}

TEST_F(ForwardAuthHttpTest, AStoreThatIsAwayIs503AndABadRequest400) {
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  });
  HttpTestClient client(Address());
  EXPECT_EQ(client.Get("/v1/forward-auth").status, 503);
  EXPECT_EQ(client.Get("/v1/forward-auth").body, "store is away");
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
  // Enough headers that a hash table grows between the first value and the
  // last.
  for (int i = 0; i < 30; ++i) {
    users.push_back(absl::StrCat("user-", i));
    absl::StrAppend(&headers,
                    i % 2 == 0 ? "X-User-ID: " : "x-user-id: ", users.back(),
                    "\r\nX-Other-", i, ": other\r\n");
  }
  Exchange(Head("GET", headers));
  EXPECT_EQ(user, absl::StrJoin(users, ","));
}

TEST_F(ForwardAuthHttpTest, ABodyIsReadAndDropped) {
  HttpTestClient client(Address());
  for (int i = 1; i <= 2; ++i) {
    EXPECT_EQ(client
                  .Post("/v1/forward-auth", std::string(20'000, 'x'),
                        "application/x-www-form-urlencoded")
                  .status,
              200);
    EXPECT_EQ(client.Get("/v1/forward-auth").status, 200);
    EXPECT_EQ(limiter_.checks(), 2 * i);
  }
}

// A gateway may forward the body of its client. If the server parsed the body
// as a request, the gateway would use its answer for the request of another
// client.
TEST_F(ForwardAuthHttpTest, ABodyIsNeverParsedAsARequest) {
  const std::string hidden = Head("GET", "X-User-ID: victim\r\n");
  const std::string length =
      absl::StrCat("Content-Length: ", hidden.size(), "\r\n");
  const std::string chunked =
      absl::StrCat(absl::Hex(hidden.size()), "\r\n", hidden, "\r\n0\r\n\r\n");
  const std::string refused[] = {
      Head("POST", length + "Content-Length: 0\r\n") + hidden,
      Head("POST", "Content-Length: 99999999999999999999\r\n") + hidden,
      Head("GET", "Transfer-Encoding: xchunked\r\n") + chunked,
      Head("HEAD", length + "Transfer-Encoding: chunked\r\n") + chunked,
  };
  for (const std::string& request : refused) {
    const std::string answer = Exchange(request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(answer, HasSubstr("Connection: close")) << request;
    EXPECT_EQ(CountAnswers(answer), 1) << request;
  }
  EXPECT_EQ(limiter_.checks(), 0);
  const std::string form = "Content-Type: multipart/form-data\r\n";
  const std::string packed = "Content-Encoding: gzip\r\n";
  int checks = 0;
  for (const char* method : {"GET", "HEAD", "OPTIONS", "POST", "QUERY"}) {
    for (const std::string& more : {std::string(), form, packed}) {
      for (const std::string& request :
           {absl::StrCat(Head(method, absl::StrCat(length, more, kLast)),
                         hidden),
            absl::StrCat(
                Head(method, absl::StrCat("Transfer-Encoding: chunked\r\n",
                                          more, kLast)),
                chunked)}) {
        const std::string answer = Exchange(request);
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 ")) << request;
        EXPECT_EQ(CountAnswers(answer), 1) << request;
        EXPECT_EQ(limiter_.checks(), ++checks) << request;
      }
    }
  }
}

// A page that needs no body must drop it as well.
TEST_F(ForwardAuthHttpTest, ABodyForAnotherPageIsNeverParsedAsARequest) {
  const std::string hidden = Head("GET", "X-User-ID: victim\r\n");
  for (const char* path : {"/live", "/json", "/nothing", "/metrics"}) {
    for (const char* method : {"GET", "HEAD"}) {
      const std::string answer = Exchange(
          absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: x\r\n", kLast,
                       "Content-Length: ", hidden.size(), "\r\n\r\n", hidden));
      EXPECT_EQ(CountAnswers(answer), 1) << method << path;
    }
  }
  EXPECT_EQ(limiter_.checks(), 0);
}

// A range once recursed for each byte of its header, and was answered 416.
TEST_F(ForwardAuthHttpTest, ARangeHasNoMeaning) {
  for (const std::string& range :
       {"bytes=" + std::string(8000, '1') + "-", std::string("bytes=x"),
        std::string("bytes=0-,0-,0-")}) {
    HttpTestClient client(Address());
    EXPECT_EQ(client.Ask("GET", "/v1/forward-auth", "Range: " + range + "\r\n")
                  .status,
              200);
    const HttpTestAnswer metrics =
        client.Ask("GET", "/metrics", "Range: " + range + "\r\n");
    EXPECT_EQ(metrics.status, 200);
    EXPECT_THAT(metrics.header("content-type"), StartsWith("text/plain"));
  }
}

// Gateways keep connections open, also while a request waits. No thread waits
// with it.
TEST_F(ForwardAuthHttpTest, ManyHeldRequestsLeaveTheOtherPagesAnswering) {
  constexpr int kHeld = 100;
  Mutex mutex;
  std::vector<Limiter::CheckCallback> held;
  limiter_.SetAnswer([&](const Query&, auto done) {
    const MutexLock lock(&mutex);
    held.push_back(std::move(done));
  });
  std::vector<HttpTestClient> clients;
  for (int i = 0; i < kHeld; ++i) {
    clients.emplace_back(Address());
    EXPECT_TRUE(clients.back().Send(Head("GET")));
  }
  limiter_.AwaitAnswered(kHeld);
  EXPECT_EQ(HttpTestClient(Address()).Get("/live").status, 200);
  Verdict verdict;
  for (auto& done : held) done(&verdict);
  for (HttpTestClient& client : clients) {
    EXPECT_EQ(client.ReadAnswer().status, 200);
  }
}

// A held request gives its slot back when its client disconnects.
TEST_F(ForwardAuthHttpTest, TheLimiterNoticesThatAClientLeaves) {
  std::atomic<bool> gone = false;
  Limiter::CheckCallback held;
  limiter_.SetAnswer([&](const Query& query, auto done) {
    held = std::move(done);
    query.caller->OnGone([&] {
      held(absl::CancelledError("the client left"));
      gone = true;
      gone.notify_all();
    });
  });
  {
    HttpTestClient client(Address());
    EXPECT_TRUE(client.Send(
        "GET /v1/forward-auth?wait=1m HTTP/1.1\r\nHost: x\r\n\r\n"));
    limiter_.AwaitAnswered(1);
  }
  gone.wait(false);
}

}  // namespace
}  // namespace rls
