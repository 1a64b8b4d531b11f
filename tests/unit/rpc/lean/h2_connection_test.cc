// The times and bounds of a connection. The test controls the clock and the
// turns of the loop.

#include "rpc/lean/h2_connection.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_clock.h"
#include "fake_loop.h"
#include "unit/rpc/lean/h2_session_fixture.h"

namespace rls {
namespace {

// A TLS session whose handshake neither completes nor fails.
class EndlessHandshake : public TlsSession {
 public:
  absl::Status Receive(absl::string_view) override { return absl::OkStatus(); }
  bool established() const override { return false; }
  absl::StatusOr<size_t> Read(absl::Span<char>) override { return 0; }
  absl::Status Write(absl::string_view bytes) override {
    EXPECT_EQ(bytes, "");
    return absl::OkStatus();
  }
  void Close() override {}
  absl::string_view output() const override { return {}; }
  void ClearOutput() override {}
};

// Counts the steps of a handshake that never completes.
class CountedHandshake final : public EndlessHandshake {
 public:
  explicit CountedHandshake(int& steps) : steps_(steps) {}
  absl::Status Receive(absl::string_view) override {
    ++steps_;
    return absl::OkStatus();
  }

 private:
  int& steps_;
};

// Each client is one end of a socket pair.
class H2ConnectionTest : public ::testing::Test {
 protected:
  using Client = FileDescriptor;

  void TearDown() override {
    connections_.clear();
    EXPECT_EQ(calls_.size(), 0u);
  }

  Client Connect(std::unique_ptr<TlsSession> tls = nullptr) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    connections_.push_back(std::make_unique<H2Connection>(
        H2ConnectionDependencies{.loop = loop_,
                                 .options = options_,
                                 .session = {.clock = clock_,
                                             .calls = calls_,
                                             .memory = memory_,
                                             .handler = handler_,
                                             .report = report_,
                                             .max_request_bytes = 1 << 20},
                                 .pending = on_pending_,
                                 .closed = on_closed_,
                                 .read_buffer = read_buffer_,
                                 .write_buffer = write_buffer_,
                                 .handshakes = handshakes_},
        FileDescriptor(ends[0]), std::move(tls)));
    connections_.back()->Flush();
    return FileDescriptor(ends[1]);
  }

  // Sends as many bytes as fit into the socket, and returns their number.
  static size_t Send(const Client& client, absl::string_view bytes) {
    const ssize_t sent =
        send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<size_t>(sent) : 0;
  }
  // Runs turns of the loop until no event is left.
  void Turn() {
    while (loop_.Dispatch()) {
    }
  }
  void SendAll(const Client& client, const std::string& bytes) {
    ASSERT_EQ(Send(client, bytes), bytes.size());
    Turn();
  }
  // Feeds the received bytes to `answers_`. False: the connection is closed.
  bool Read(const Client& client) {
    char bytes[64 << 10];
    ssize_t count = 0;
    while ((count = recv(client.get(), bytes, sizeof(bytes), 0)) > 0) {
      answers_.Feed({bytes, static_cast<size_t>(count)});
      Turn();
    }
    return count != 0 && errno == EAGAIN;
  }
  // Runs one turn of the queue of handshakes.
  void HandshakeTurn() {
    handshake_loop_->Stop();
    handshake_loop_->Run();
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    loop_.FireTimers();
    Turn();
  }
  size_t open() const { return connections_.size(); }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  RpcServerOptions options_{.max_connection_age = absl::ZeroDuration(),
                            .max_connection_age_grace = absl::ZeroDuration(),
                            .keepalive_time = absl::ZeroDuration(),
                            .keepalive_timeout = absl::ZeroDuration()};
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  BoundReport report_{clock_, *metrics_};
  const std::unique_ptr<EventLoop> handshake_loop_ = NewEventLoop();
  TurnQueue handshakes_{*handshake_loop_, 1};
  CallPool calls_;
  H2Memory memory_;
  EchoHandler handler_;
  H2Answers answers_;
  std::string read_buffer_;
  std::string write_buffer_;
  absl::AnyInvocable<void(H2Connection&)> on_pending_ = [](H2Connection&) {};
  absl::AnyInvocable<void(H2Connection&)> on_closed_ =
      [this](H2Connection& closed) {
        std::erase_if(connections_,
                      [&](const auto& one) { return one.get() == &closed; });
      };
  std::vector<std::unique_ptr<H2Connection>> connections_;
};

constexpr absl::Duration kPatience = H2Connection::kPatience;
constexpr absl::Duration kMoment = absl::Milliseconds(1);

TEST_F(H2ConnectionTest, ASilentClientIsClosedInTime) {
  const Client silent = Connect();
  const Client half = Connect();
  const Client good = Connect();
  SendAll(half, std::string(NGHTTP2_CLIENT_MAGIC).substr(0, 20));
  SendAll(good, Preface());
  Pass(kPatience - kMoment);
  EXPECT_EQ(open(), 3u);
  Pass(kMoment);
  EXPECT_EQ(open(), 1u);
  EXPECT_TRUE(Read(good));
  EXPECT_FALSE(Read(silent));
  EXPECT_FALSE(Read(half));
}

TEST_F(H2ConnectionTest, ATlsHandshakeThatDoesNotEndIsClosedInTime) {
  const Client slow = Connect(std::make_unique<EndlessHandshake>());
  for (int i = 0; i < 5; ++i) {
    Pass(kPatience / 6);
    SendAll(slow, "x");
  }
  Pass(kPatience / 6 - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, HeadersThatDoNotEndCloseTheConnection) {
  const Client client = Connect();
  SendAll(client, Preface());
  Pass(kPatience);
  SendAll(client, MakeFrame(NGHTTP2_HEADERS, 0, 1, ""));
  for (int i = 0; i < 5; ++i) {
    Pass(kPatience / 6);
    EXPECT_EQ(open(), 1u);
    // More frames do not extend the time.
    SendAll(client, MakeFrame(NGHTTP2_CONTINUATION, 0, 1, ""));
  }
  Pass(kPatience / 6);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, ARequestThatDoesNotEndIsAnswered) {
  const Client client = Connect();
  SendAll(client, Preface() + RequestHead(1, kDecide));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(calls_.size(), 1u);
    SendAll(client, Data(1, "x", 0));
    Pass(kPatience / 6);
  }
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.response(1).trailer("grpc-status"), "4");
  EXPECT_EQ(calls_.size(), 0u);
  SendAll(client, RateLimitCall(3));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.response(3).trailer("grpc-status"), "0");
}

TEST_F(H2ConnectionTest, ARetainedCallIsNotOverdue) {
  std::vector<Call*> retained;
  handler_.on_serve = [&retained](Call& call) {
    call.Retain();
    retained.push_back(&call);
  };
  const Client client = Connect();
  SendAll(client, Preface() + RateLimitCall(1) + RequestHead(3, kDecide));
  for (int i = 0; i < 5; ++i) Pass(kPatience);
  EXPECT_EQ(answers_.responses().count(1), 0u);
  retained[0]->Answer("at last");
  retained[0]->Release();
  connections_[0]->Flush();
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.response(1).data, Prefixed("at last"));
}

TEST_F(H2ConnectionTest, AnAnswerThatTheClientDoesNotTakeIsDropped) {
  const Client client = Connect();
  SendAll(client, Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}) +
                      RateLimitCall(1));
  EXPECT_EQ(calls_.size(), 1u);
  Pass(kPatience);
  Pass(kPatience);
  EXPECT_EQ(calls_.size(), 0u);
  EXPECT_TRUE(Read(client));
  EXPECT_TRUE(answers_.response(1).reset.has_value());
}

// A bug: after the kept output reached its bound, the connection was never
// written to again, and the loop ran without a pause.
TEST_F(H2ConnectionTest, TheServerReadsNoMoreUntilTheClientReads) {
  handler_.on_serve = [](Call& call) { call.Answer(std::string(8'000, 'x')); };
  const Client client = Connect();
  SendAll(client, Preface() + WindowUpdate(0, INT32_MAX / 2));
  int32_t stream = 1;
  std::string rest;
  while (rest.empty()) {
    const std::string call = RateLimitCall(stream);
    rest = call.substr(Send(client, call));
    stream += 2;
    Turn();
    ASSERT_LT(stream, 100'000);
  }
  const size_t sent = static_cast<size_t>(stream / 2);
  EXPECT_LT(handler_.served, sent);
  EXPECT_LT(handler_.served * 8'000, 4 * H2Connection::kMaxUnsentBytes);
  Pass(kPatience - kMoment);
  EXPECT_TRUE(Read(client));
  SendAll(client, rest);
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.ended(), sent);
}

TEST_F(H2ConnectionTest, AClientThatDoesNotReadIsClosedInTime) {
  handler_.on_serve = [](Call& call) {
    call.Answer(std::string(1 << 20, 'x'));
  };
  const Client client = Connect();
  SendAll(client, Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24}}) +
                      WindowUpdate(0, 1 << 24) + RateLimitCall(1));
  Pass(kPatience - kMoment);
  EXPECT_EQ(open(), 1u);
  char some[64 << 10];
  while (recv(client.get(), some, sizeof(some), 0) > 0) {
  }
  Turn();
  Pass(kPatience - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
}

// One turn reads at most kReadBytes of each connection.
TEST_F(H2ConnectionTest, AFloodDoesNotDelayOtherClients) {
  const Client flood = Connect();
  const Client good = Connect();
  SendAll(flood, Preface() + RequestHead(1, kDecide));
  SendAll(good, Preface());
  std::string frames;
  while (frames.size() < 2 * AcceptedSocket::kReadBytes)
    frames += Data(1, "", 0);
  size_t sent = Send(flood, frames);
  ASSERT_GT(sent, AcceptedSocket::kReadBytes);
  Send(good, RateLimitCall(1));
  EXPECT_TRUE(loop_.Dispatch());
  EXPECT_TRUE(Read(good));
  EXPECT_EQ(answers_.response(1).trailer("grpc-status"), "0");
}

// Each step takes about a millisecond, in which no other client is served.
TEST_F(H2ConnectionTest, HandshakesWaitForTheirTurn) {
  int steps = 0;
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Connect(std::make_unique<CountedHandshake>(steps)));
    SendAll(clients.back(), "hello");
  }
  EXPECT_EQ(steps, 0);
  for (int turn = 1; turn <= 3; ++turn) {
    HandshakeTurn();
    EXPECT_EQ(steps, turn);
  }
  HandshakeTurn();
  EXPECT_EQ(steps, 3);
  SendAll(clients[1], "more");
  HandshakeTurn();
  EXPECT_EQ(steps, 4);
  clients[2] = FileDescriptor();
  Turn();
  HandshakeTurn();
  EXPECT_EQ(open(), 2u);
}

TEST_F(H2ConnectionTest, AConnectionBeyondItsBudgetIsToldAndClosed) {
  const Client client = Connect();
  const Client deaf = Connect();
  SendAll(client, Preface());
  SendAll(deaf, Preface());
  std::string frames;
  while (frames.size() < 10'000) frames += WindowUpdate(0, 1);
  for (int64_t sent = 0; sent <= FrameBudget::kBurst; sent += 500) {
    Send(client, frames);
    Send(deaf, frames);
    Turn();
  }
  EXPECT_EQ(open(), 2u);
  EXPECT_FALSE(Read(client));
  ASSERT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(answers_.goaways[0].code, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  Pass(H2Connection::kGoAwayTime);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, ACalmedConnectionEndsItsCallsAtOnce) {
  const Client client = Connect();
  SendAll(client,
          Preface() + RequestHead(1, kDecide) + RequestHead(3, kDecide));
  EXPECT_EQ(connections_[0]->waiting_calls(), 2u);
  SendAll(client, Data(1, std::string(5'000, 'x'), 0));
  EXPECT_EQ(connections_[0]->held_bytes(), 5'000u);
  connections_[0]->Calm(Bound::kStreams);
  EXPECT_EQ(open(), 0u);
  EXPECT_EQ(calls_.size(), 0u);
  EXPECT_FALSE(Read(client));
  ASSERT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(answers_.goaways[0].code, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
}

TEST_F(H2ConnectionTest, ASilentPeerIsPingedAndThenClosed) {
  options_.keepalive_time = absl::Minutes(5);
  options_.keepalive_timeout = absl::Seconds(20);
  const Client client = Connect();
  SendAll(client, Preface());
  Pass(absl::Minutes(4));
  SendAll(client, RateLimitCall(1));  // ends the silence
  Pass(absl::Minutes(4));
  EXPECT_TRUE(Read(client));
  EXPECT_TRUE(answers_.pings.empty());
  Pass(absl::Minutes(1));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.pings.size(), 1u);
  SendAll(client, Ping(answers_.pings[0], NGHTTP2_FLAG_ACK));
  Pass(absl::Minutes(5));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.pings.size(), 2u);
  Pass(absl::Seconds(20) - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, AnAgedConnectionEndsWithItsLastCall) {
  options_.max_connection_age = absl::Hours(1);
  options_.max_connection_age_grace = absl::Hours(1);
  std::vector<Call*> retained;
  handler_.on_serve = [&retained](Call& call) {
    call.Retain();
    retained.push_back(&call);
  };
  const Client client = Connect();
  SendAll(client, Preface() + RateLimitCall(1));
  // The age is jittered by up to 10%.
  Pass(absl::Minutes(54) - kMoment);
  EXPECT_TRUE(Read(client));
  EXPECT_TRUE(answers_.goaways.empty());
  Pass(absl::Minutes(12));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.goaways.size(), 1u);
  // The client does not answer the PING.
  Pass(H2Connection::kGoAwayTime);
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.goaways.size(), 2u);
  EXPECT_EQ(answers_.goaways[1].last_stream, 1);
  retained[0]->Answer("last");
  retained[0]->Release();
  connections_[0]->Flush();
  EXPECT_FALSE(Read(client));
  EXPECT_EQ(answers_.response(1).data, Prefixed("last"));
  // The client's end is still open, for at most kGoAwayTime.
  EXPECT_EQ(open(), 1u);
  Pass(H2Connection::kGoAwayTime);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, CallsThatOutlastTheGraceAreCancelled) {
  int left = 0;
  handler_.on_serve = [&left](Call& call) {
    call.Retain();
    call.caller().OnGone([&] {
      ++left;
      call.Release();
    });
  };
  const Client client = Connect();
  SendAll(client, Preface() + RateLimitCall(1));
  connections_[0]->GoAway(absl::Seconds(5));
  Pass(absl::Seconds(5) - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
  EXPECT_EQ(left, 1);
}

// A bug kept a connection in its TLS handshake for the whole grace, because
// GOAWAY could not be sent.
TEST_F(H2ConnectionTest, AConnectionWithoutRequestsDoesNotDelayTheShutdown) {
  const Client handshaking = Connect(std::make_unique<EndlessHandshake>());
  const Client silent = Connect();
  const Client idle = Connect();
  SendAll(idle, Preface());
  for (size_t i = 0; i < open(); ++i) connections_[i]->GoAway(absl::Hours(1));
  Pass(H2Connection::kGoAwayTime - kMoment);
  EXPECT_EQ(open(), 3u);
  Pass(kMoment);
  EXPECT_FALSE(Read(handshaking));
  // The other clients have received GOAWAY and have kGoAwayTime to close.
  EXPECT_EQ(open(), 2u);
  Pass(H2Connection::kGoAwayTime);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, AConnectionThatThePeerClosedIsClosedAtOnce) {
  Client client = Connect();
  SendAll(client, Preface() + RequestHead(1, kDecide));
  EXPECT_EQ(calls_.size(), 1u);
  client = FileDescriptor();
  Turn();
  EXPECT_EQ(open(), 0u);
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(H2ConnectionTest, AConnectionWithoutHttp2IsClosedAtOnce) {
  const Client client = Connect();
  SendAll(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(open(), 0u);
}

}  // namespace
}  // namespace rls
