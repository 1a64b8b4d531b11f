// Each bound of http_bounds.h that a connection or a loop enforces.

#include "http/http_bounds.h"

#include <sys/ioctl.h>

#include <atomic>
#include <functional>
#include <thread>

#include "unit/http/http_loop_fixture.h"

namespace rls {
namespace {

using ::testing::SizeIs;

constexpr char kRest[] = " HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr absl::Duration kInstant = absl::Milliseconds(1);

std::string Get(absl::string_view path) {
  return absl::StrCat("GET ", path, kRest);
}

// Time.

TEST_F(HttpLoopTest, AHeadHasATimeThatBytesDoNotExtend) {
  HttpTestClient client = Connect();
  Pass(absl::Seconds(100));  // Without a byte, the time does not begin.
  Send(client, "GET / HTTP/1.1\r\nX: ");
  for (absl::Duration passed; passed < kHttpHeadTime - absl::Seconds(1);
       passed += absl::Seconds(1)) {
    Pass(absl::Seconds(1));
    Send(client, "x");
  }
  Pass(absl::Seconds(1) - kInstant);
  EXPECT_TRUE(IsOpen(client));
  Pass(kInstant);
  EXPECT_EQ(client.ReadAnswer().status, 408);
  EXPECT_TRUE(IsClosed(client));
  EXPECT_EQ(Refused("head_too_slow"), 1);
}

TEST_F(HttpLoopTest, ABodyHasATimeThatBytesDoNotExtend) {
  HttpTestClient client = Connect();
  Send(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n");
  for (absl::Duration passed; passed < kHttpBodyTime - absl::Seconds(1);
       passed += absl::Seconds(1)) {
    Pass(absl::Seconds(1));
    Send(client, "x");
  }
  Pass(absl::Seconds(1) - kInstant);
  EXPECT_TRUE(IsOpen(client));
  Pass(kInstant);
  EXPECT_EQ(client.ReadAnswer().status, 408);
  EXPECT_TRUE(IsClosed(client));
  EXPECT_EQ(Refused("body_too_slow"), 1);
}

TEST_F(HttpLoopTest, ARequestThatIsDecidedHasNoTime) {
  HttpTestClient client = Connect();
  Send(client, Get("/held"));
  Pass(absl::Hours(1));
  EXPECT_TRUE(IsOpen(client));
  AnswerHeld(0, "late");
  EXPECT_EQ(client.ReadAnswer().body, "late");
}

TEST_F(HttpLoopTest, AnIdleConnectionClosesAfterATime) {
  HttpTestClient fresh = Connect();
  HttpTestClient used = Connect();
  Pass(absl::Seconds(1));
  Ask(used, "/a");
  Pass(kHttpIdleTime - absl::Seconds(1) - kInstant);
  EXPECT_TRUE(IsOpen(fresh));
  Pass(kInstant);
  EXPECT_TRUE(IsClosed(fresh));
  EXPECT_TRUE(IsOpen(used));
  Pass(absl::Seconds(1));
  EXPECT_TRUE(IsClosed(used));
}

// Idle connections once used more than a core.
TEST_F(HttpLoopTest, AnIdleConnectionCausesNoWork) {
  std::vector<HttpTestClient> clients;
  for (size_t i = 0; i < kMaxOfPeer; ++i) {
    clients.push_back(Connect());
    Ask(clients.back(), "/a");
  }
  EXPECT_FALSE(Turn());
  EXPECT_GE(loop_.FirstTimer(),
            loop_.Now() + absl::ToChronoNanoseconds(kHttpIdleTime));
}

TEST_F(HttpLoopTest, AnAnswerThatIsNotReadClosesTheConnection) {
  HttpTestClient client = Connect();
  Send(client, Get("/big"));
  char bytes[1000];
  for (absl::Duration passed; passed < kHttpAnswerTime - absl::Seconds(1);
       passed += absl::Seconds(1)) {
    Pass(absl::Seconds(1));
    // A few bytes do not extend the time.
    EXPECT_GT(recv(client.fd(), bytes, sizeof(bytes), MSG_DONTWAIT), 0);
    Run();
  }
  EXPECT_EQ(http_.connections(), 1u);
  Pass(absl::Seconds(1));
  EXPECT_EQ(http_.connections(), 0u);
  EXPECT_EQ(Refused("answer_not_read"), 1);
}

// Bytes.

TEST_F(HttpLoopTest, AHeadWithoutEndIsRefused) {
  HttpTestClient client = Connect();
  Send(client, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
  for (size_t sent = 0; sent < kMaxHttpHeadBytes; sent += 1000) {
    Send(client, std::string(1000, 'x'));
  }
  EXPECT_EQ(client.ReadAnswer().status, 431);
  EXPECT_EQ(Refused("head_too_large"), 1);
}

// Sends until the server reads no more, and returns the number of bytes.
size_t SendAll(const HttpTestClient& client, const std::string& piece,
               const std::function<void()>& run) {
  size_t total = 0;
  for (ssize_t sent = 1; sent > 0; total += static_cast<size_t>(sent)) {
    sent = send(client.fd(), piece.data(), piece.size(),
                MSG_DONTWAIT | MSG_NOSIGNAL);
    run();
    if (sent < 0) break;
  }
  return total;
}

TEST_F(HttpLoopTest, FewBytesAreReadAheadOfAnAnswer) {
  HttpTestClient client = Connect();
  Send(client, Get("/held"));
  const size_t sent =
      SendAll(client, std::string(10'000, 'x'), [this] { Run(); });
  int unread = 0;
  // Bytes that this end has sent and the server has not read.
  ASSERT_EQ(ioctl(client.fd(), TIOCOUTQ, &unread), 0);
  EXPECT_GT(unread, 0);
  EXPECT_LT(sent, kMaxHttpAheadBytes + (1 << 20));
}

TEST_F(HttpLoopTest, NoRequestIsTakenWhileAnswersAreNotRead) {
  HttpTestClient client = Connect();
  for (int i = 0; i < 50; ++i) Send(client, Get("/big"));
  EXPECT_THAT(handler_.seen, SizeIs(1));
  std::atomic<size_t> read{0};
  std::thread reader([&] {
    for (int i = 0; i < 50; ++i) read += client.ReadAnswer().body.size();
  });
  while (read < 50 * EchoHandler::kBigBytes) Turn();
  reader.join();
  EXPECT_THAT(handler_.seen, SizeIs(50));
}

TEST_F(HttpLoopTest, TheConnectionThatHoldsMostMakesRoomForOthers) {
  // Answers that are not read: 1 MiB each, less the buffer of the socket.
  constexpr size_t kClients = kMaxHttpHeldBytes / EchoHandler::kBigBytes * 2;
  HttpLoop loop({.loop = loop_,
                 .handler = handler_,
                 .clock = clock_,
                 .refusals = refusals_,
                 .max_connections = 1000,
                 .max_connections_of_peer = 1000,
                 .max_undecided = 1000});
  std::vector<HttpTestClient> clients;
  HttpTestClient modest = Connect();
  for (size_t i = 0; i < kClients; ++i) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                         ends),
              0);
    clients.emplace_back(FileDescriptor(ends[1]));
    loop.Adopt(FileDescriptor(ends[0]), PeerOf("192.0.2.9"));
    Send(clients.back(), Get("/big"));
    if (i < 50) {
      EXPECT_EQ(loop.connections(), i + 1);
    }
  }
  EXPECT_LT(loop.connections(), kMaxHttpHeldBytes / EchoHandler::kBigBytes * 2);
  EXPECT_EQ(loop.connections() + static_cast<size_t>(Refused("memory")),
            kClients);
  EXPECT_EQ(Ask(modest, "/a").status, 200);
  loop.Shutdown(absl::ZeroDuration());
  Pass(absl::ZeroDuration());
  loop.AwaitQuiet();
}

// Connections.

TEST_F(HttpLoopTest, AFullPortClosesTheConnectionThatWaitsLongest) {
  std::vector<HttpTestClient> clients;
  for (size_t i = 0; i < kMaxConnections; ++i) {
    clients.push_back(Connect(absl::StrCat("192.0.2.", i % 2)));
  }
  Send(clients[0], Get("/held"));
  Send(clients[1], "GET /half");
  Ask(clients[2], "/a");
  HttpTestClient probe = Connect("192.0.2.7");
  EXPECT_EQ(Ask(probe, "/live").status, 200);
  EXPECT_TRUE(IsClosed(clients[1]));
  EXPECT_EQ(http_.connections(), kMaxConnections);
  HttpTestClient other = Connect("192.0.2.8");
  EXPECT_TRUE(IsClosed(clients[3]));
  for (const size_t open : {0, 2, 4, 5, 6, 7}) {
    EXPECT_TRUE(IsOpen(clients[open])) << open;
  }
  EXPECT_EQ(Refused("port_full"), 2);
}

TEST_F(HttpLoopTest, APeerWithTooManyConnectionsLosesItsOwn) {
  HttpTestClient first = Connect("192.0.2.7");
  std::vector<HttpTestClient> clients;
  for (size_t i = 0; i < kMaxOfPeer; ++i) {
    clients.push_back(Connect("192.0.2.1"));
  }
  clients.push_back(Connect("192.0.2.1"));
  EXPECT_TRUE(IsClosed(clients[0]));
  EXPECT_TRUE(IsOpen(first));
  EXPECT_EQ(http_.connections(), kMaxOfPeer + 1);
  EXPECT_EQ(Refused("peer_full"), 1);
  EXPECT_EQ(Ask(clients.back(), "/live").status, 200);
  // Closed connections do not count.
  clients.clear();
  Run();
  EXPECT_EQ(http_.connections(), 1u);
  for (size_t i = 0; i < kMaxOfPeer; ++i) {
    clients.push_back(Connect("192.0.2.1"));
  }
  EXPECT_EQ(Refused("peer_full"), 1);
}

TEST_F(HttpLoopTest, UndecidedRequestsLeaveRoomForHealth) {
  std::vector<HttpTestClient> clients;
  for (size_t i = 0; i < kMaxUndecided; ++i) {
    clients.push_back(Connect(absl::StrCat("192.0.2.", i)));
    Send(clients.back(), Get("/held"));
  }
  HttpTestClient client = Connect("192.0.2.9");
  EXPECT_EQ(Ask(client, "/held").status, 503);
  EXPECT_EQ(Ask(client, "/vital").status, 200);
  EXPECT_EQ(Refused("too_many_waiting"), 1);
  EXPECT_THAT(handler_.held, SizeIs(kMaxUndecided));
  AnswerHeld(0);
  Send(client, Get("/held"));
  EXPECT_THAT(handler_.held, SizeIs(kMaxUndecided + 1));
}

TEST_F(HttpLoopTest, APortThatOnlyDecidesTurnsConnectionsAway) {
  std::vector<HttpTestClient> clients;
  for (size_t i = 0; i < kMaxOfPeer; ++i) {
    clients.push_back(Connect());
    Send(clients.back(), Get("/held"));
  }
  HttpTestClient turned = Connect();
  EXPECT_TRUE(IsClosed(turned));
  EXPECT_EQ(http_.connections(), kMaxOfPeer);
  EXPECT_EQ(Refused("peer_full"), 1);
}

}  // namespace
}  // namespace rls
