// Requests and answers of the connections of a loop.

#include "http/http_loop.h"

#include "unit/http/http_loop_fixture.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kGet[] = " HTTP/1.1\r\nHost: x\r\n\r\n";

std::string Get(absl::string_view path) {
  return absl::StrCat("GET ", path, kGet);
}

TEST_F(HttpLoopTest, AnswersOneRequestAfterAnother) {
  HttpTestClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    const HttpTestAnswer answer = Ask(client, "/a");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "GET /a ");
    EXPECT_EQ(answer.header("content-type"), "text/plain");
    EXPECT_EQ(answer.header("connection"), "");
  }
  EXPECT_EQ(Ask(client, "/a").header("date"), "Tue, 14 Nov 2023 23:00:00 GMT");
}

TEST_F(HttpLoopTest, APieceOfARequestIsKept) {
  HttpTestClient client = Connect();
  const std::string request =
      "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  for (const char byte : request) {
    EXPECT_THAT(handler_.seen, IsEmpty());
    Send(client, absl::string_view(&byte, 1));
  }
  EXPECT_EQ(client.ReadAnswer().body, "POST /body abc");
}

TEST_F(HttpLoopTest, PipelinedRequestsAreAnsweredInOrder) {
  HttpTestClient client = Connect();
  Send(client, Get("/a") + Get("/held") + Get("/b") + Get("/c"));
  EXPECT_EQ(client.ReadAnswer().body, "GET /a ");
  EXPECT_TRUE(IsOpen(client));
  EXPECT_THAT(handler_.seen, ElementsAre("GET /a ", "GET /held "));
  AnswerHeld(0, "late");
  EXPECT_EQ(client.ReadAnswer().body, "late");
  EXPECT_EQ(client.ReadAnswer().body, "GET /b ");
  EXPECT_EQ(client.ReadAnswer().body, "GET /c ");
}

TEST_F(HttpLoopTest, ABodyThatNobodyNeedsIsReadAndDropped) {
  HttpTestClient client = Connect();
  const std::string body = Get("/hidden");
  for (const char* method : {"GET", "HEAD", "POST", "QUERY"}) {
    Send(client, absl::StrCat(method, " /a HTTP/1.1\r\nHost: x\r\n",
                              "Content-Length: ", body.size(), "\r\n\r\n"));
    Send(client, body);
    EXPECT_EQ(client.ReadAnswer(method == absl::string_view("HEAD")).status,
              200);
  }
  EXPECT_THAT(handler_.seen,
              ElementsAre("GET /a ", "HEAD /a ", "POST /a ", "QUERY /a "));
}

TEST_F(HttpLoopTest, AnAnswerToHeadHasNoBody) {
  HttpTestClient client = Connect();
  const HttpTestAnswer answer = Ask(client, "/a", "HEAD");
  EXPECT_EQ(answer.header("content-length"), "8");
  EXPECT_EQ(Ask(client, "/b").body, "GET /b ");
}

TEST_F(HttpLoopTest, ContinueIsSaidBeforeABody) {
  HttpTestClient client = Connect();
  Send(client,
       "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
       "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().status, 100);
  Send(client, "abc");
  EXPECT_EQ(client.ReadAnswer().body, "POST /body abc");
  // A body that has come already needs no invitation.
  Send(client,
       "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
       "Expect: 100-continue\r\n\r\nabc");
  EXPECT_EQ(client.ReadAnswer().status, 200);
}

TEST_F(HttpLoopTest, TheClientChoosesWhetherTheConnectionStays) {
  HttpTestClient old = Connect();
  Send(old, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(old.ReadAnswer().header("connection"), "keep-alive");
  Send(old, "GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.ReadAnswer().header("connection"), "close");
  EXPECT_TRUE(IsClosed(old));
  HttpTestClient client = Connect();
  Send(client, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().header("connection"), "close");
  EXPECT_TRUE(IsClosed(client));
}

TEST_F(HttpLoopTest, ARefusalClosesTheConnectionAndIsCounted) {
  HttpTestClient client = Connect();
  Send(client, "GET /a HTTP/1.1\r\nHost : x\r\n\r\n" + Get("/hidden"));
  const HttpTestAnswer answer = client.ReadAnswer();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_EQ(answer.body, "a bad header\n");
  EXPECT_TRUE(IsClosed(client));
  EXPECT_THAT(handler_.seen, IsEmpty());
  EXPECT_EQ(Refused("framing"), 1);
}

// If the server closed at once, bytes on their way would reset the connection,
// and the client could lose the answer.
TEST_F(HttpLoopTest, AfterARefusalTheRestIsDroppedForAMoment) {
  HttpTestClient client = Connect();
  Send(client,
       "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n");
  EXPECT_TRUE(client.Send(std::string(100'000, 'x')));
  Run();
  EXPECT_EQ(client.ReadAnswer().status, 413);
  EXPECT_EQ(Refused("body_too_large"), 1);
  EXPECT_TRUE(client.Send("more"));
  Pass(kHttpLingerTime);
  EXPECT_FALSE(client.Send("more"));
}

TEST_F(HttpLoopTest, AfterTheLastAnswerTheRestHasABound) {
  for (const char* last :
       {"GET\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nmore"}) {
    HttpTestClient client = Connect();
    Send(client, last);
    size_t sent = 0;
    const std::string piece(10'000, 'x');
    for (; sent < 2 * kMaxHttpLingerBytes && client.Send(piece); Run()) {
      sent += piece.size();
    }
    EXPECT_LE(sent, kMaxHttpLingerBytes + piece.size());
  }
}

TEST_F(HttpLoopTest, ARequestThatIsForgottenIsAnswered500) {
  HttpTestClient client = Connect();
  EXPECT_EQ(Ask(client, "/nothing").status, 500);
}

TEST_F(HttpLoopTest, AClientThatLeavesIsNoticed) {
  std::optional<HttpTestClient> client = Connect();
  Send(*client, Get("/held"));
  bool gone = false;
  handler_.held[0].caller().OnGone([&gone] { gone = true; });
  Run();
  EXPECT_FALSE(gone);
  client.reset();
  Run();
  EXPECT_TRUE(gone);
  AnswerHeld(0);
  EXPECT_EQ(http_.connections(), 0u);
}

TEST_F(HttpLoopTest, AnAnswerMayComeWhileTheClientLeaves) {
  std::optional<HttpTestClient> client = Connect();
  Send(*client, Get("/held"));
  HttpReply reply = std::move(handler_.held[0]);
  reply.caller().OnGone([&reply] { reply.Send({.status = 503}); });
  client.reset();
  Run();
  EXPECT_EQ(http_.connections(), 0u);
}

TEST_F(HttpLoopTest, AClientThatOnlyEndsItsSideGetsItsAnswers) {
  HttpTestClient client = Connect();
  EXPECT_TRUE(client.Send(Get("/a") + Get("/b")));
  client.HalfClose();
  Run();
  const std::string answers = client.ReadAll();
  EXPECT_THAT(answers, HasSubstr("GET /a "));
  EXPECT_THAT(answers, HasSubstr("GET /b "));
}

TEST_F(HttpLoopTest, ALateAnswerReachesAClientThatHasEndedItsSide) {
  HttpTestClient client = Connect();
  EXPECT_TRUE(client.Send(Get("/held")));
  client.HalfClose();
  for (int i = 0; i < 5; ++i) Turn();
  AnswerHeld(0, "late");
  EXPECT_THAT(client.ReadAll(), HasSubstr("late"));
}

TEST_F(HttpLoopTest, ManyRequestsOfOneConnectionDoNotDelayTheOthers) {
  HttpTestClient eager = Connect();
  HttpTestClient modest = Connect();
  constexpr int kRequests = 200;
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += Get("/a");
  EXPECT_TRUE(eager.Send(requests));
  EXPECT_TRUE(modest.Send(Get("/b")));
  Turn();
  const auto other =
      std::find(handler_.seen.begin(), handler_.seen.end(), "GET /b ");
  EXPECT_LE(other - handler_.seen.begin(), kMaxHttpRequestsPerTurn);
  Run();
  EXPECT_THAT(handler_.seen, SizeIs(kRequests + 1));
}

// Drain

TEST_F(HttpLoopTest, DrainClosesIdleConnectionsAtOnce) {
  HttpTestClient fresh = Connect();
  HttpTestClient used = Connect();
  Ask(used, "/a");
  HttpTestClient held = Connect();
  Send(held, Get("/held"));
  HttpTestClient half = Connect();
  Send(half, "GET /h");
  http_.Drain();
  Run();
  EXPECT_TRUE(IsClosed(fresh));
  EXPECT_TRUE(IsClosed(used));
  EXPECT_TRUE(IsOpen(held));
  AnswerHeld(0);
  Send(half, std::string("alf") + kGet);
  for (HttpTestClient* const client : {&held, &half}) {
    EXPECT_EQ(client->ReadAnswer().header("connection"), "close");
    EXPECT_TRUE(IsClosed(*client));
  }
  // A new connection can still see that the process drains.
  HttpTestClient late = Connect();
  EXPECT_EQ(Ask(late, "/ready").header("connection"), "close");
  EXPECT_TRUE(IsClosed(late));
}

TEST_F(HttpLoopTest, AfterTheGraceEveryConnectionCloses) {
  HttpTestClient half = Connect();
  Send(half, "GET /h");
  HttpTestClient held = Connect();
  Send(held, Get("/held"));
  bool gone = false;
  handler_.held[0].caller().OnGone([&gone] { gone = true; });
  HttpTestClient unread = Connect();
  Send(unread, Get("/big"));
  HttpTestClient body = Connect();
  Send(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na");
  http_.Shutdown(absl::Seconds(5));
  // Bytes do not extend the time.
  for (int i = 0; i < 4; ++i) {
    Pass(absl::Seconds(1));
    Send(half, "x");
  }
  EXPECT_EQ(http_.connections(), 4u);
  Pass(absl::Seconds(1));
  EXPECT_EQ(http_.connections(), 0u);
  EXPECT_TRUE(gone);
  EXPECT_TRUE(IsClosed(half));
  EXPECT_TRUE(IsClosed(held));
}

}  // namespace
}  // namespace rls
