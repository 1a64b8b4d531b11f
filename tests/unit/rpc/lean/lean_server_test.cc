// The connections of a server, over real sockets.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "rpc/lean/h2_session.h"
#include "temp_folder.h"
#include "unit/rpc/lean/lean_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

void AnswerOk(Limiter::CheckCallback& done) {
  Verdict verdict;
  verdict.statuses.resize(1);
  done(&verdict);
}

using LeanConnectionsTest = LeanServerTest;

TEST_F(LeanConnectionsTest, AConnectionWithoutHttp2IsClosedAndOthersAreServed) {
  RawClient good = Connect();
  good.Send(Preface() + RateLimitCall(1));
  good.Await(1);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) +
            std::string(500, '\x55'),
        std::string(1'000, '\0'),
        NGHTTP2_CLIENT_MAGIC + std::string(1'000, '\xff')}) {
    RawClient bad = Connect();
    bad.Send(bytes);
    bad.AwaitClose();
  }
  good.Send(RateLimitCall(3));
  EXPECT_EQ(good.Await(3).trailer("grpc-status"), "0");
  ExpectServed();
}

TEST_F(LeanConnectionsTest, FloodsAreClosedAndOthersAreServed) {
  std::string pings = Preface();
  while (pings.size() < 4'000'000) pings += Ping("12345678");
  std::string settings = Preface();
  while (settings.size() < 4'000'000) settings += Settings({});
  std::string resets = Preface();
  for (int32_t id = 1; id < 100'000; id += 2)
    resets += RateLimitCall(id) + Reset(id);
  for (const std::string& flood : {pings, settings, resets}) {
    RawClient bad = Connect();
    bad.Send(flood);
    bad.AwaitClose();
    ExpectServed();
  }
}

// A bug: a few connections could use up all calls of a loop for 30 s.
TEST_F(LeanConnectionsTest, TheConnectionsThatHoldMostEndFirst) {
  RawClient good = Connect();
  good.Send(Preface());
  std::string unfinished = Preface();
  for (uint32_t i = 0; i < H2Session::kMaxStreams; ++i) {
    unfinished += RequestHead(static_cast<int32_t>(2 * i + 1), kDecide);
  }
  constexpr size_t kConnections =
      2 * CallPool::kMaxIncompleteCalls / H2Session::kMaxStreams;
  std::deque<RawClient> greedy;
  for (size_t i = 0; i < kConnections; ++i) {
    greedy.emplace_back(server_->address()).Send(unfinished);
  }
  const std::string series =
      "ratelimitd_http2_ended_connections_total{reason=\"streams\"} ";
  const auto ended = [&] {
    const std::string text = metrics_->Text();
    return std::stod(text.substr(text.find(series) + series.size()));
  };
  // Half of the connections are too many.
  int32_t stream = 1;
  for (; ended() < kConnections / 2.0 - 1; stream += 2) {
    ASSERT_LT(stream, 100'000);
    good.Send(RateLimitCall(stream));
    ASSERT_EQ(good.Await(stream).trailer("grpc-status"), "0");
  }
  ExpectServed();
}

TEST_F(LeanConnectionsTest, ConnectionsAreBoundedInTotalAndOfAPeer) {
  Start({.max_connections = 10, .max_connections_per_peer = 2});
  RawClient first = Connect();
  RawClient second = Connect();
  for (RawClient* client : {&first, &second}) {
    client->Send(Preface() + RateLimitCall(1));
    EXPECT_EQ(client->Await(1).trailer("grpc-status"), "0");
  }
  RawClient third = Connect();
  third.AwaitClose();
  EXPECT_THAT(metrics_->Text(),
              HasSubstr("ratelimitd_connections_refused_total{port=\"grpc\","
                        "reason=\"peer\"} 1"));
  first.Send(RateLimitCall(3));
  EXPECT_EQ(first.Await(3).trailer("grpc-status"), "0");
}

TEST_F(LeanConnectionsTest, AClosedConnectionGivesItsPlaceBack) {
  Start({.max_connections = 1, .max_connections_per_peer = 1});
  for (int i = 0; i < 5; ++i) {
    // Closed by the server, so that the place is free afterwards.
    RawClient client = Connect();
    client.Send("GET / HTTP/1.1\r\n\r\n");
    client.AwaitClose();
  }
  EXPECT_THAT(metrics_->Text(), HasSubstr("reason=\"total\"} 0"));
}

TEST_F(LeanConnectionsTest, CallsBeforeAHalfCloseAreAnswered) {
  RawClient client = Connect();
  client.Send(Preface() + RateLimitCall(1));
  client.HalfClose();
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), "0");
  client.AwaitClose();
}

TEST_F(LeanConnectionsTest, ACallerLeavesWhenItsConnectionEnds) {
  limiter_.SetAnswer([](const Query& query, Limiter::CheckCallback done) {
    query.caller->OnGone([done = std::move(done)]() mutable {
      done(absl::CancelledError("gone"));
    });
  });
  {
    RawClient client = Connect();
    client.Send(Preface() + RateLimitCall(1));
    limiter_.AwaitAnswered(1);
  }
  // Returns only after the call was answered.
  server_->Shutdown(absl::Minutes(1));
}

TEST_F(LeanConnectionsTest, ConnectionsAreSpreadEvenlyOverTheThreads) {
  std::mutex mutex;
  std::map<std::thread::id, int> calls;
  limiter_.SetAnswer([&](const Query&, Limiter::CheckCallback done) {
    {
      const std::lock_guard lock(mutex);
      ++calls[std::this_thread::get_id()];
    }
    AnswerOk(done);
  });
  Start({.threads = 4});
  std::deque<RawClient> clients;
  for (int i = 0; i < 12; ++i) {
    RawClient& client = clients.emplace_back(server_->address());
    client.Send(Preface() + RateLimitCall(1));
    client.Await(1);
  }
  const std::lock_guard lock(mutex);
  EXPECT_EQ(calls.size(), 4u);
  for (const auto& [unused, count] : calls) EXPECT_EQ(count, 3);
}

// The first call is answered in a turn that reads only the second connection.
TEST_F(LeanConnectionsTest, ACallIsAnsweredInTheTurnOfAnotherConnection) {
  Limiter::CheckCallback waiting;
  limiter_.SetAnswer([&waiting](const Query&, Limiter::CheckCallback done) {
    if (waiting == nullptr) {
      waiting = std::move(done);
    } else {
      AnswerOk(waiting);
      AnswerOk(done);
    }
  });
  RawClient first = Connect();
  first.Send(Preface() + RateLimitCall(1));
  limiter_.AwaitAnswered(1);
  RawClient second = Connect();
  second.Send(Preface() + RateLimitCall(1));
  EXPECT_EQ(second.Await(1).trailer("grpc-status"), "0");
  EXPECT_EQ(first.Await(1).trailer("grpc-status"), "0");
}

TEST_F(LeanConnectionsTest, ASilentPeerIsPingedAndThenClosed) {
  Start({.keepalive_time = absl::Milliseconds(5),
         .keepalive_timeout = absl::Milliseconds(5)});
  RawClient client = Connect();
  client.Send(Preface());
  client.AwaitClose();
  EXPECT_EQ(client.answers.pings.size(), 1u);
}

TEST_F(LeanConnectionsTest, AnAgedConnectionEndsWithGoAway) {
  Start({.max_connection_age = absl::Milliseconds(5)});
  RawClient client = Connect();
  client.Send(Preface());
  client.AwaitClose();
  ASSERT_EQ(client.answers.goaways.size(), 2u);
  EXPECT_EQ(client.answers.goaways[1].code, uint32_t{NGHTTP2_NO_ERROR});
}

class LeanUnixTest : public LeanServerTest {
 protected:
  std::string path() const { return (folder_.path() / "grpc.sock").string(); }
  std::string address() const { return "unix:" + path(); }
  bool Exists() const {
    struct stat unused;
    return lstat(path().c_str(), &unused) == 0;
  }
  absl::Status Failure() {
    return NewLeanWithLoops({.address = address(), .threads = 1}, handler_,
                            *clock_, *metrics_)
        .status();
  }
  // Creates the socket file of a killed process, or of a listening one.
  FileDescriptor Bind() const {
    FileDescriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    path().copy(name.sun_path, sizeof(name.sun_path) - 1);
    EXPECT_EQ(
        bind(made.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    return made;
  }

  TempFolder folder_;
};

TEST_F(LeanUnixTest, AUnixSocketIsServedAndRemovedWithItsServer) {
  Start({.address = address()});
  EXPECT_EQ(server_->address(), address());
  ExpectServed();
  server_.reset();
  EXPECT_FALSE(Exists());
}

TEST_F(LeanUnixTest, AStaleSocketIsReplaced) {
  Bind();
  EXPECT_TRUE(Exists());
  Start({.address = address()});
  ExpectServed();
}

TEST_F(LeanUnixTest, AListeningSocketIsInUse) {
  Start({.address = address()});
  const absl::Status status = Failure();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(address()));
  ExpectServed();
}

// A bug: the check for a listening process waited forever if that process did
// not accept connections.
TEST_F(LeanUnixTest, AListeningSocketWithAFullBacklogIsInUse) {
  const FileDescriptor listening = Bind();
  ASSERT_EQ(listen(listening.get(), 0), 0);
  const RawClient filler(address());
  EXPECT_TRUE(absl::IsUnavailable(Failure()));
  EXPECT_TRUE(Exists());
}

// A bug: the server took the file for a stale socket and deleted it.
TEST_F(LeanUnixTest, AFileThatIsNotASocketStays) {
  std::ofstream(path()) << "precious";
  EXPECT_TRUE(absl::IsUnavailable(Failure()));
  std::string text;
  std::ifstream(path()) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(LeanUnixTest, AnUnusablePathIsAnErrorThatNamesIt) {
  for (const std::string& address :
       {std::string("unix:"), "unix:" + std::string(200, 'x'),
        std::string("unix:/no/such/folder/socket")}) {
    const auto server =
        NewLeanWithLoops({.address = address}, handler_, *clock_, *metrics_);
    EXPECT_TRUE(absl::IsUnavailable(server.status()));
    EXPECT_THAT(std::string(server.status().message()), HasSubstr(address));
  }
}

}  // namespace
}  // namespace rls
