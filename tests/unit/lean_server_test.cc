// Connections to a server, and what becomes of them.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "temp_folder.h"
#include "unit/lean_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

void AnswerOk(Limiter::CheckCallback& done) {
  Verdict verdict;
  verdict.statuses.resize(1);
  done(&verdict);
}

using LeanConnectionsTest = LeanServerTest;

TEST_F(LeanConnectionsTest, WhatIsNoHttp2IsClosedAndOthersAreServed) {
  RawClient good = Connect();
  good.Send(Preface() + Ask(1));
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
  good.Send(Ask(3));
  EXPECT_EQ(good.Await(3).trailer("grpc-status"), "0");
  ExpectWell();
}

TEST_F(LeanConnectionsTest, FloodsAreClosedAndOthersAreServed) {
  std::string pings = Preface();
  while (pings.size() < 4'000'000) pings += Ping("12345678");
  std::string settings = Preface();
  while (settings.size() < 4'000'000) settings += Settings({});
  std::string resets = Preface();
  for (int32_t id = 1; id < 100'000; id += 2) resets += Ask(id) + Reset(id);
  for (const std::string& flood : {pings, settings, resets}) {
    RawClient bad = Connect();
    bad.Send(flood);
    bad.AwaitClose();
    ExpectWell();
  }
}

TEST_F(LeanConnectionsTest, WhatWasAskedBeforeAPeerClosesItsEndIsAnswered) {
  RawClient client = Connect();
  client.Send(Preface() + Ask(1));
  client.HalfClose();
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), "0");
  client.AwaitClose();
}

TEST_F(LeanConnectionsTest, ACallerWhoseConnectionEndsWhileItIsHeldIsHeard) {
  limiter_.SetAnswer([](const Query& query, Limiter::CheckCallback done) {
    query.caller->OnGone([done = std::move(done)]() mutable {
      done(absl::CancelledError("gone"));
    });
  });
  {
    RawClient client = Connect();
    client.Send(Preface() + Ask(1));
    limiter_.AwaitAnswered(1);
  }
  // Ends only when the call has been answered.
  server_->Shutdown(absl::Minutes(1));
}

TEST_F(LeanConnectionsTest, TheyAreSpreadEvenlyOverTheThreads) {
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
    client.Send(Preface() + Ask(1));
    client.Await(1);
  }
  const std::lock_guard lock(mutex);
  EXPECT_EQ(calls.size(), 4u);
  for (const auto& [unused, count] : calls) EXPECT_EQ(count, 3);
}

// The first is on another connection than the turn that answers it.
TEST_F(LeanConnectionsTest, ACallThatAnotherConnectionsCallAnswersIsAnswered) {
  Limiter::CheckCallback held;
  limiter_.SetAnswer([&held](const Query&, Limiter::CheckCallback done) {
    if (held == nullptr) {
      held = std::move(done);
    } else {
      AnswerOk(held);
      AnswerOk(done);
    }
  });
  RawClient first = Connect();
  first.Send(Preface() + Ask(1));
  limiter_.AwaitAnswered(1);
  RawClient second = Connect();
  second.Send(Preface() + Ask(1));
  EXPECT_EQ(second.Await(1).trailer("grpc-status"), "0");
  EXPECT_EQ(first.Await(1).trailer("grpc-status"), "0");
}

TEST_F(LeanConnectionsTest, ASilentPeerIsAskedForASignOfLifeAndThenClosed) {
  Start({.keepalive_time = absl::Milliseconds(5),
         .keepalive_timeout = absl::Milliseconds(5)});
  RawClient client = Connect();
  client.Send(Preface());
  client.AwaitClose();
  EXPECT_EQ(client.answers.pings.size(), 1u);
}

TEST_F(LeanConnectionsTest, AnAgedConnectionSaysGoodByeAndEnds) {
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
  // What a process that was killed leaves behind, or one that listens.
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

TEST_F(LeanUnixTest, AUnixSocketIsServedAndGoesWithItsServer) {
  Start({.address = address()});
  EXPECT_EQ(server_->address(), address());
  ExpectWell();
  server_.reset();
  EXPECT_FALSE(Exists());
}

TEST_F(LeanUnixTest, ASocketThatWasLeftBehindIsReplaced) {
  Bind();
  EXPECT_TRUE(Exists());
  Start({.address = address()});
  ExpectWell();
}

TEST_F(LeanUnixTest, ASocketThatIsListenedOnIsTaken) {
  Start({.address = address()});
  const absl::Status status = Failure();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(address()));
  ExpectWell();
}

// A look whether anybody listens waited for ever for one who does not accept.
TEST_F(LeanUnixTest, ASocketWhoseQueueIsFullIsTaken) {
  const FileDescriptor listening = Bind();
  ASSERT_EQ(listen(listening.get(), 0), 0);
  const RawClient filler(address());
  EXPECT_TRUE(absl::IsUnavailable(Failure()));
  EXPECT_TRUE(Exists());
}

// It was taken for a socket that was left behind, and deleted.
TEST_F(LeanUnixTest, AFileThatIsNoSocketStays) {
  std::ofstream(path()) << "precious";
  EXPECT_TRUE(absl::IsUnavailable(Failure()));
  std::string text;
  std::ifstream(path()) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(LeanUnixTest, APathThatCannotBeHadIsAnErrorThatNamesIt) {
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
