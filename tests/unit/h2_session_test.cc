// The life of streams and of a session, without a socket.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "unit/h2_session_fixture.h"

namespace rls {
namespace {

constexpr uint8_t kGoAwayAck = NGHTTP2_FLAG_ACK;

TEST_F(H2SessionTest, ACallThatTheSameBytesResetIsNeverServed) {
  EXPECT_TRUE(Receive(Preface() + Ask(1) + Ask(3) + Reset(1)));
  EXPECT_EQ(handler_.served, 1u);
  EXPECT_EQ(handler_.closed, 2u);
  EXPECT_FALSE(response(1).over());
  EXPECT_EQ(response(3).data, Prefixed(AskMessage()));
}

TEST_F(H2SessionTest, ItsCallerIsToldThatAHeldCallIsReset) {
  Call* held = nullptr;
  int left = 0;
  handler_.on_serve = [&](Call& call) {
    held = &call;
    call.Hold();
    call.caller().OnGone([&left] { ++left; });
  };
  EXPECT_TRUE(Receive(Preface() + Ask(1)));
  EXPECT_EQ(left, 0);
  EXPECT_TRUE(Receive(Reset(1)));
  EXPECT_EQ(left, 1);
  EXPECT_TRUE(held->finished());
  held->Answer("too late");
  EXPECT_EQ(calls_.size(), 1u);
  held->Release();
  EXPECT_EQ(calls_.size(), 0u);
  Pull();
  EXPECT_FALSE(response(1).over());
}

TEST_F(H2SessionTest, AHeldCallOutlivesItsSession) {
  Call* held = nullptr;
  handler_.on_serve = [&held](Call& call) {
    held = &call;
    call.Hold();
  };
  EXPECT_TRUE(Receive(Preface() + Ask(1)));
  session_.reset();
  held->Send("nobody reads this");
  held->Answer("nor this");
  held->Release();
}

TEST_F(H2SessionTest, WhatIsAnsweredLaterIsPendingAndInAnyOrder) {
  std::vector<Call*> held;
  handler_.on_serve = [&held](Call& call) {
    held.push_back(&call);
    call.Hold();
  };
  EXPECT_TRUE(Receive(Preface() + Ask(1) + Ask(3)));
  EXPECT_EQ(pending_, 0u);
  held[1]->Answer("second");
  held[1]->Release();
  EXPECT_EQ(pending_, 1u);
  Pull();
  EXPECT_EQ(response(3).data, Prefixed("second"));
  EXPECT_FALSE(response(1).over());
  held[0]->Finish(absl::AbortedError("first"));
  held[0]->Release();
  Pull();
  EXPECT_EQ(response(1).trailer("grpc-status"), "10");
}

TEST_F(H2SessionTest, AnAnswerFollowsTheClientsWindow) {
  const std::string message = AskMessage();
  EXPECT_TRUE(
      Receive(Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 3}}) + Ask(1)));
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
  EXPECT_TRUE(Receive(Preface() + Ask(1) + Ask(3)));
  EXPECT_EQ(response(1).data.size() + response(3).data.size(), 65'535u);
  EXPECT_TRUE(Receive(WindowUpdate(0, 100'000)));
  EXPECT_EQ(response(1).data, Prefixed(large));
  EXPECT_EQ(response(3).data, Prefixed(large));
}

TEST_F(H2SessionTest, StreamsOnTheirWayWhenItGoesAwayAreServed) {
  EXPECT_TRUE(Receive(Preface() + Ask(1)));
  session_->AnnounceGoAway();
  Pull();
  ASSERT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(answers_.goaways[0].last_stream, INT32_MAX);
  EXPECT_EQ(answers_.goaways[0].code, uint32_t{NGHTTP2_NO_ERROR});
  ASSERT_EQ(answers_.pings.size(), 1u);
  // The client has not read it yet.
  EXPECT_TRUE(Receive(Ask(3)));
  EXPECT_EQ(response(3).trailer("grpc-status"), "0");
  EXPECT_FALSE(session_->over());
  // Now it has, and what it sends from now on is lost by its own fault.
  EXPECT_TRUE(Receive(Ping(answers_.pings[0], kGoAwayAck)));
  ASSERT_EQ(answers_.goaways.size(), 2u);
  EXPECT_EQ(answers_.goaways[1].last_stream, 3);
  EXPECT_TRUE(session_->over());
  EXPECT_TRUE(Receive(Ask(5)));
  EXPECT_FALSE(response(5).over());
  EXPECT_EQ(handler_.served, 2u);
}

TEST_F(H2SessionTest, AnyOtherPingAckIsNoAnswerToGoAway) {
  EXPECT_TRUE(Receive(Preface()));
  session_->AnnounceGoAway();
  Pull();
  EXPECT_TRUE(
      Receive(Ping("whatever", kGoAwayAck) + Ping("goinging") + Ask(1)));
  EXPECT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(response(1).trailer("grpc-status"), "0");
}

TEST_F(H2SessionTest, ItIsOverWhenItHasGoneAwayAndItsLastCallHasEnded) {
  Call* held = nullptr;
  handler_.on_serve = [&held](Call& call) {
    held = &call;
    call.Hold();
  };
  EXPECT_TRUE(Receive(Preface() + Ask(1)));
  session_->AnnounceGoAway();
  session_->GoAway();  // The client did not answer in time.
  Pull();
  EXPECT_EQ(answers_.goaways.back().last_stream, 1);
  EXPECT_FALSE(session_->over());
  held->Answer("last");
  held->Release();
  Pull();
  EXPECT_EQ(response(1).data, Prefixed("last"));
  EXPECT_TRUE(session_->over());
}

TEST_F(H2SessionTest, WhatIsNoHttp2IsRefusedWithoutServingAnybody) {
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

// A frame on stream 0, or one that opens no stream, ends the connection with
// the error that says so.
TEST_F(H2SessionTest, ABreachOfTheProtocolEndsTheConnectionAndIsNamed) {
  const std::pair<std::string, uint32_t> table[] = {
      {Data(0, "x"), NGHTTP2_PROTOCOL_ERROR},
      {Data(1, "x"), NGHTTP2_PROTOCOL_ERROR},
      {RequestHead(2, kDecide), NGHTTP2_PROTOCOL_ERROR},
      {Ask(3) + Ask(1), NGHTTP2_PROTOCOL_ERROR},
      {Ask(1) + Ping("12345678") + Data(1, "x"), NGHTTP2_STREAM_CLOSED},
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

TEST_F(H2SessionTest, TheRestOfAnAnsweredRequestDoesNoHarmAndIsNotAwaited) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, "/a.B/C")));
  EXPECT_EQ(response(1).trailer("grpc-status"), "12");
  EXPECT_TRUE(Receive(Data(1, "the rest", 0) + Ask(3)));
  EXPECT_EQ(response(3).trailer("grpc-status"), "0");
  EXPECT_FALSE(response(1).reset.has_value());
  EXPECT_TRUE(session_->DropOverdue(absl::Seconds(30)));
  EXPECT_TRUE(session_->DropOverdue(absl::Seconds(30)));
  Pull();
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_TRUE(Receive(Data(1, "more") + Ask(5)));
  EXPECT_EQ(response(5).trailer("grpc-status"), "0");
  EXPECT_TRUE(answers_.goaways.empty());
  EXPECT_FALSE(response(3).reset.has_value());
}

}  // namespace
}  // namespace rls
