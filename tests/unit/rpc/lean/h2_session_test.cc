// The life cycle of streams and sessions, without a socket.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "unit/rpc/lean/h2_session_fixture.h"

namespace rls {
namespace {

constexpr uint8_t kGoAwayAck = NGHTTP2_FLAG_ACK;

TEST_F(H2SessionTest, ACallThatTheSameBytesResetIsNeverServed) {
  EXPECT_TRUE(
      Receive(Preface() + RateLimitCall(1) + RateLimitCall(3) + Reset(1)));
  EXPECT_EQ(handler_.served, 1u);
  EXPECT_EQ(handler_.closed, 2u);
  EXPECT_FALSE(response(1).over());
  EXPECT_EQ(response(3).data, Prefixed(RateLimitMessage()));
}

TEST_F(H2SessionTest, TheCallerOfARetainedCallLeavesAtAReset) {
  Call* retained = nullptr;
  int left = 0;
  handler_.on_serve = [&](Call& call) {
    retained = &call;
    call.Retain();
    call.caller().OnGone([&left] { ++left; });
  };
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1)));
  EXPECT_EQ(left, 0);
  EXPECT_TRUE(Receive(Reset(1)));
  EXPECT_EQ(left, 1);
  EXPECT_TRUE(retained->finished());
  retained->Answer("too late");
  EXPECT_EQ(calls_.size(), 1u);
  retained->Release();
  EXPECT_EQ(calls_.size(), 0u);
  Pull();
  EXPECT_FALSE(response(1).over());
}

TEST_F(H2SessionTest, ARetainedCallOutlivesItsSession) {
  Call* retained = nullptr;
  handler_.on_serve = [&retained](Call& call) {
    retained = &call;
    call.Retain();
  };
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1)));
  session_.reset();
  retained->Send("discarded");
  retained->Answer("also discarded");
  retained->Release();
}

TEST_F(H2SessionTest, LaterAnswersArePendingAndInAnyOrder) {
  std::vector<Call*> retained;
  handler_.on_serve = [&retained](Call& call) {
    retained.push_back(&call);
    call.Retain();
  };
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1) + RateLimitCall(3)));
  EXPECT_EQ(pending_, 0u);
  retained[1]->Answer("second");
  retained[1]->Release();
  EXPECT_EQ(pending_, 1u);
  Pull();
  EXPECT_EQ(response(3).data, Prefixed("second"));
  EXPECT_FALSE(response(1).over());
  retained[0]->Finish(absl::AbortedError("first"));
  retained[0]->Release();
  Pull();
  EXPECT_EQ(response(1).trailer("grpc-status"), "10");
}

TEST_F(H2SessionTest, AnAnswerFollowsTheClientsWindow) {
  const std::string message = RateLimitMessage();
  EXPECT_TRUE(Receive(Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 3}}) +
                      RateLimitCall(1)));
  const std::string all = Prefixed(message);
  for (size_t have = 3; have < all.size(); have += 4) {
    EXPECT_EQ(response(1).data, all.substr(0, have));
    EXPECT_FALSE(response(1).ended);
    EXPECT_TRUE(Receive(WindowUpdate(1, 4)));
  }
  EXPECT_EQ(response(1).data, all);
  EXPECT_EQ(response(1).trailer("grpc-status"), "0");
  EXPECT_GT(answers_.data_frames, 3u);
}

TEST_F(H2SessionTest, TheWindowOfTheConnectionIsSharedByItsStreams) {
  const std::string large(40'000, 'x');
  handler_.on_serve = [&large](Call& call) { call.Answer(large); };
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1) + RateLimitCall(3)));
  EXPECT_EQ(response(1).data.size() + response(3).data.size(), 65'535u);
  EXPECT_TRUE(Receive(WindowUpdate(0, 100'000)));
  EXPECT_EQ(response(1).data, Prefixed(large));
  EXPECT_EQ(response(3).data, Prefixed(large));
}

TEST_F(H2SessionTest, StreamsThatCrossTheGoAwayAreServed) {
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1)));
  session_->AnnounceGoAway();
  Pull();
  ASSERT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(answers_.goaways[0].last_stream, INT32_MAX);
  EXPECT_EQ(answers_.goaways[0].code, uint32_t{NGHTTP2_NO_ERROR});
  ASSERT_EQ(answers_.pings.size(), 1u);
  // The client has not read GOAWAY yet.
  EXPECT_TRUE(Receive(RateLimitCall(3)));
  EXPECT_EQ(response(3).trailer("grpc-status"), "0");
  EXPECT_FALSE(session_->over());
  // The client has read GOAWAY. Its later requests are ignored.
  EXPECT_TRUE(Receive(Ping(answers_.pings[0], kGoAwayAck)));
  ASSERT_EQ(answers_.goaways.size(), 2u);
  EXPECT_EQ(answers_.goaways[1].last_stream, 3);
  EXPECT_TRUE(session_->over());
  EXPECT_TRUE(Receive(RateLimitCall(5)));
  EXPECT_FALSE(response(5).over());
  EXPECT_EQ(handler_.served, 2u);
}

TEST_F(H2SessionTest, OtherPingAcksAreNoAnswerToGoAway) {
  EXPECT_TRUE(Receive(Preface()));
  session_->AnnounceGoAway();
  Pull();
  EXPECT_TRUE(Receive(Ping("whatever", kGoAwayAck) + Ping("goinging") +
                      RateLimitCall(1)));
  EXPECT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(response(1).trailer("grpc-status"), "0");
}

TEST_F(H2SessionTest, TheSessionIsOverAfterGoAwayAndItsLastCall) {
  Call* retained = nullptr;
  handler_.on_serve = [&retained](Call& call) {
    retained = &call;
    call.Retain();
  };
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1)));
  session_->AnnounceGoAway();
  session_->GoAway();  // The client did not answer in time.
  Pull();
  EXPECT_EQ(answers_.goaways.back().last_stream, 1);
  EXPECT_FALSE(session_->over());
  retained->Answer("last");
  retained->Release();
  Pull();
  EXPECT_EQ(response(1).data, Prefixed("last"));
  EXPECT_TRUE(session_->over());
}

TEST_F(H2SessionTest, BytesThatAreNotHttp2EndTheSession) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS hello",
                    21),
        std::string(100, '\0'),
        std::string(NGHTTP2_CLIENT_MAGIC) + std::string(100, '\xff')}) {
    Open();
    const bool good = Receive(bytes);
    EXPECT_TRUE(!good || session_->over()) << bytes;
  }
  EXPECT_EQ(handler_.served, 0u);
}

TEST_F(H2SessionTest, AProtocolErrorEndsTheConnectionWithItsErrorCode) {
  const std::pair<std::string, uint32_t> table[] = {
      {Data(0, "x"), NGHTTP2_PROTOCOL_ERROR},
      {Data(1, "x"), NGHTTP2_PROTOCOL_ERROR},
      {RequestHead(2, kDecide), NGHTTP2_PROTOCOL_ERROR},
      {RateLimitCall(3) + RateLimitCall(1), NGHTTP2_PROTOCOL_ERROR},
      {RateLimitCall(1) + Ping("12345678") + Data(1, "x"),
       NGHTTP2_STREAM_CLOSED},
      {Ping("short"), NGHTTP2_FRAME_SIZE_ERROR},
      {WindowUpdate(0, INT32_MAX), NGHTTP2_FLOW_CONTROL_ERROR},
      {MakeFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff"),
       NGHTTP2_COMPRESSION_ERROR},
      {MakeFrame(NGHTTP2_HEADERS, 0, 1, "") + Ping("12345678"),
       NGHTTP2_PROTOCOL_ERROR},
      {Settings({{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1}}),
       NGHTTP2_PROTOCOL_ERROR},
  };
  for (const auto& [bytes, code] : table) {
    Open();
    H2Answers answers;
    EXPECT_TRUE(session_->Receive(Preface() + bytes));
    for (absl::string_view sent = session_->Pull(); !sent.empty();
         sent = session_->Pull()) {
      answers.Feed(sent);
    }
    ASSERT_EQ(answers.goaways.size(), 1u);
    EXPECT_EQ(answers.goaways[0].code, code);
    EXPECT_TRUE(session_->over());
  }
}

TEST_F(H2SessionTest, APeerThatGoesAwayGetsItsLastAnswers) {
  const std::string goaway =
      MakeFrame(NGHTTP2_GOAWAY, 0, 0, BigEndian(0) + BigEndian(0));
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kDecide) + goaway));
  EXPECT_FALSE(session_->over());
  EXPECT_TRUE(Receive(Data(1, Prefixed("x"))));
  EXPECT_EQ(response(1).data, Prefixed("x"));
  EXPECT_TRUE(session_->over());
}

TEST_F(H2SessionTest, TheRestOfAnAnsweredRequestIsIgnored) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, "/a.B/C")));
  EXPECT_EQ(response(1).trailer("grpc-status"), "12");
  EXPECT_TRUE(Receive(Data(1, "the rest", 0) + RateLimitCall(3)));
  EXPECT_EQ(response(3).trailer("grpc-status"), "0");
  EXPECT_FALSE(response(1).reset.has_value());
  EXPECT_TRUE(session_->DropOverdue(absl::Seconds(30)));
  EXPECT_TRUE(session_->DropOverdue(absl::Seconds(30)));
  Pull();
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_TRUE(Receive(Data(1, "more") + RateLimitCall(5)));
  EXPECT_EQ(response(5).trailer("grpc-status"), "0");
  EXPECT_TRUE(answers_.goaways.empty());
  EXPECT_FALSE(response(3).reset.has_value());
}

}  // namespace
}  // namespace rls
