// A connection's times and bounds, on a loop whose clock and turns are the
// test's.

#include "rpc_lean/h2_connection.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_clock.h"
#include "fake_loop.h"
#include "unit/h2_session_fixture.h"

namespace rls {
namespace {

// TLS that never finds its peer trustworthy, nor the opposite.
class EndlessHandshake final : public TlsSession {
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

// A client's end of a socket pair.
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
        H2ConnectionParts{.loop = loop_,
                          .options = options_,
                          .session = {.clock = clock_,
                                      .calls = calls_,
                                      .memory = memory_,
                                      .handler = handler_,
                                      .max_request_bytes = 1 << 20},
                          .pending = on_pending_,
                          .closed = on_closed_,
                          .read_buffer = read_buffer_,
                          .write_buffer = write_buffer_},
        FileDescriptor(ends[0]), std::move(tls)));
    connections_.back()->Flush();
    return FileDescriptor(ends[1]);
  }

  // What of it fits in the socket.
  static size_t Send(const Client& client, absl::string_view bytes) {
    const ssize_t sent =
        send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<size_t>(sent) : 0;
  }
  // Until nothing more happens by itself.
  void Turn() {
    while (loop_.Dispatch()) {
    }
  }
  void Say(const Client& client, const std::string& bytes) {
    ASSERT_EQ(Send(client, bytes), bytes.size());
    Turn();
  }
  // Adds what has come to `answers_`. False at the end of the connection.
  bool Read(const Client& client) {
    char bytes[64 << 10];
    ssize_t count = 0;
    while ((count = recv(client.get(), bytes, sizeof(bytes), 0)) > 0) {
      answers_.Feed({bytes, static_cast<size_t>(count)});
      Turn();
    }
    return count != 0 && errno == EAGAIN;
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

TEST_F(H2ConnectionTest, AClientThatSaysNothingIsClosedInTime) {
  const Client silent = Connect();
  const Client half = Connect();
  const Client good = Connect();
  Say(half, std::string(NGHTTP2_CLIENT_MAGIC).substr(0, 20));
  Say(good, Preface());
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
    Say(slow, "x");
  }
  Pass(kPatience / 6 - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, HeadersThatDoNotEndAreNotWaitedFor) {
  const Client client = Connect();
  Say(client, Preface());
  Pass(kPatience);
  Say(client, MakeFrame(NGHTTP2_HEADERS, 0, 1, ""));
  for (int i = 0; i < 5; ++i) {
    Pass(kPatience / 6);
    EXPECT_EQ(open(), 1u);
    // Whatever else it says.
    Say(client, MakeFrame(NGHTTP2_CONTINUATION, 0, 1, ""));
  }
  Pass(kPatience / 6);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, ARequestThatDoesNotEndIsNotWaitedFor) {
  const Client client = Connect();
  Say(client, Preface() + RequestHead(1, kDecide));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(calls_.size(), 1u);
    Say(client, Data(1, "x", 0));
    Pass(kPatience / 6);
  }
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.response(1).trailer("grpc-status"), "4");
  EXPECT_EQ(calls_.size(), 0u);
  Say(client, Ask(3));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.response(3).trailer("grpc-status"), "0");
}

TEST_F(H2ConnectionTest, ACallThatIsHeldIsNotOverdue) {
  std::vector<Call*> held;
  handler_.on_serve = [&held](Call& call) {
    call.Hold();
    held.push_back(&call);
  };
  const Client client = Connect();
  Say(client, Preface() + Ask(1) + RequestHead(3, kDecide));
  for (int i = 0; i < 5; ++i) Pass(kPatience);
  EXPECT_EQ(answers_.responses().count(1), 0u);
  held[0]->Answer("at last");
  held[0]->Release();
  connections_[0]->Flush();
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.response(1).data, Prefixed("at last"));
}

TEST_F(H2ConnectionTest, AnAnswerThatTheClientDoesNotTakeIsDropped) {
  const Client client = Connect();
  Say(client, Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}) + Ask(1));
  EXPECT_EQ(calls_.size(), 1u);
  Pass(kPatience);
  Pass(kPatience);
  EXPECT_EQ(calls_.size(), 0u);
  EXPECT_TRUE(Read(client));
  EXPECT_TRUE(answers_.response(1).reset.has_value());
}

// Once so much was kept for it, it was never written to again, and the loop
// turned for nothing.
TEST_F(H2ConnectionTest, AClientThatDoesNotReadIsReadNoMoreUntilItDoes) {
  handler_.on_serve = [](Call& call) { call.Answer(std::string(8'000, 'x')); };
  const Client client = Connect();
  Say(client, Preface() + WindowUpdate(0, INT32_MAX / 2));
  int32_t stream = 1;
  std::string rest;
  while (rest.empty()) {
    const std::string ask = Ask(stream);
    rest = ask.substr(Send(client, ask));
    stream += 2;
    Turn();
    ASSERT_LT(stream, 100'000);
  }
  const size_t asked = static_cast<size_t>(stream / 2);
  EXPECT_LT(handler_.served, asked);
  EXPECT_LT(handler_.served * 8'000, 4 * H2Connection::kMaxUnsentBytes);
  Pass(kPatience - kMoment);
  EXPECT_TRUE(Read(client));
  Say(client, rest);
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.ended(), asked);
}

TEST_F(H2ConnectionTest, AClientThatReadsNothingForLongIsClosed) {
  handler_.on_serve = [](Call& call) {
    call.Answer(std::string(1 << 20, 'x'));
  };
  const Client client = Connect();
  Say(client, Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24}}) +
                  WindowUpdate(0, 1 << 24) + Ask(1));
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

// In one turn, so much is read of each.
TEST_F(H2ConnectionTest, AFloodHoldsUpNobodyElse) {
  const Client flood = Connect();
  const Client good = Connect();
  Say(flood, Preface() + RequestHead(1, kDecide));
  Say(good, Preface());
  std::string frames;
  while (frames.size() < 2 * H2Socket::kReadBytes) frames += Data(1, "", 0);
  size_t sent = Send(flood, frames);
  ASSERT_GT(sent, H2Socket::kReadBytes);
  Send(good, Ask(1));
  EXPECT_TRUE(loop_.Dispatch());
  EXPECT_TRUE(Read(good));
  EXPECT_EQ(answers_.response(1).trailer("grpc-status"), "0");
}

TEST_F(H2ConnectionTest, ASilentPeerIsAskedAndThenClosed) {
  options_.keepalive_time = absl::Minutes(5);
  options_.keepalive_timeout = absl::Seconds(20);
  const Client client = Connect();
  Say(client, Preface());
  Pass(absl::Minutes(4));
  Say(client, Ask(1));  // a sign of life
  Pass(absl::Minutes(4));
  EXPECT_TRUE(Read(client));
  EXPECT_TRUE(answers_.pings.empty());
  Pass(absl::Minutes(1));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.pings.size(), 1u);
  Say(client, Ping(answers_.pings[0], NGHTTP2_FLAG_ACK));
  Pass(absl::Minutes(5));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.pings.size(), 2u);
  Pass(absl::Seconds(20) - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, AtItsAgeItGoesAwayAndEndsWithItsLastCall) {
  options_.max_connection_age = absl::Hours(1);
  options_.max_connection_age_grace = absl::Hours(1);
  std::vector<Call*> held;
  handler_.on_serve = [&held](Call& call) {
    call.Hold();
    held.push_back(&call);
  };
  const Client client = Connect();
  Say(client, Preface() + Ask(1));
  // By a tenth either way.
  Pass(absl::Minutes(54) - kMoment);
  EXPECT_TRUE(Read(client));
  EXPECT_TRUE(answers_.goaways.empty());
  Pass(absl::Minutes(12));
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.goaways.size(), 1u);
  // It does not answer the PING.
  Pass(H2Connection::kGoAwayTime);
  EXPECT_TRUE(Read(client));
  EXPECT_EQ(answers_.goaways.size(), 2u);
  EXPECT_EQ(answers_.goaways[1].last_stream, 1);
  held[0]->Answer("last");
  held[0]->Release();
  connections_[0]->Flush();
  EXPECT_FALSE(Read(client));
  EXPECT_EQ(answers_.response(1).data, Prefixed("last"));
  // The client's end is still open, but not for long.
  EXPECT_EQ(open(), 1u);
  Pass(H2Connection::kGoAwayTime);
  EXPECT_EQ(open(), 0u);
}

TEST_F(H2ConnectionTest, WhatOutlastsTheGraceIsCutOff) {
  int left = 0;
  handler_.on_serve = [&left](Call& call) {
    call.Hold();
    call.caller().OnGone([&] {
      ++left;
      call.Release();
    });
  };
  const Client client = Connect();
  Say(client, Preface() + Ask(1));
  connections_[0]->GoAway(absl::Seconds(5));
  Pass(absl::Seconds(5) - kMoment);
  EXPECT_EQ(open(), 1u);
  Pass(kMoment);
  EXPECT_EQ(open(), 0u);
  EXPECT_EQ(left, 1);
}

// The one whose TLS handshake had not ended was held for the whole grace: it
// could not be told to go away.
TEST_F(H2ConnectionTest, WhoHasNotBegunDoesNotHoldUpTheEnd) {
  const Client handshaking = Connect(std::make_unique<EndlessHandshake>());
  const Client silent = Connect();
  const Client idle = Connect();
  Say(idle, Preface());
  for (size_t i = 0; i < open(); ++i) connections_[i]->GoAway(absl::Hours(1));
  Pass(H2Connection::kGoAwayTime - kMoment);
  EXPECT_EQ(open(), 3u);
  Pass(kMoment);
  EXPECT_FALSE(Read(handshaking));
  // The others have been told, and have so long to close their ends.
  EXPECT_EQ(open(), 2u);
  Pass(H2Connection::kGoAwayTime);
  EXPECT_EQ(open(), 0u);
}

// What a client sent before it closed its end is still answered.
TEST_F(H2ConnectionTest, APeerThatHasGoneIsClosedAtOnce) {
  Client client = Connect();
  Say(client, Preface() + RequestHead(1, kDecide));
  EXPECT_EQ(calls_.size(), 1u);
  client = FileDescriptor();
  Turn();
  EXPECT_EQ(open(), 0u);
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(H2ConnectionTest, WhatIsNoHttp2IsClosedAtOnce) {
  const Client client = Connect();
  Say(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(open(), 0u);
}

}  // namespace
}  // namespace rls
