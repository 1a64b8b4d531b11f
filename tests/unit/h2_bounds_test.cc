// What a client may do to a session, and no more.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "unit/h2_session_fixture.h"

namespace rls {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

class H2BoundsTest : public H2SessionTest {
 protected:
  // Feeds the same bytes, read by read, until the session ends. How often.
  size_t FeedUntilOver(const std::string& bytes, size_t most) {
    for (size_t i = 0; i < most; ++i) {
      if (!Receive(bytes) || session_->over()) return i;
    }
    return most;
  }

  bool IsWell(int32_t stream) {
    Receive(Ask(stream));
    return response(stream).trailer("grpc-status") == "0";
  }
};

TEST_F(H2BoundsTest, NoMoreStreamsAreOpenThanAllowed) {
  handler_.on_serve = [](Call&) {};
  EXPECT_TRUE(Receive(Preface()));
  EXPECT_EQ(answers_.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS],
            H2Session::kMaxStreams);
  int32_t stream = 1;
  for (uint32_t i = 0; i < H2Session::kMaxStreams; ++i, stream += 2) {
    ASSERT_TRUE(Receive(Ask(stream)));
  }
  // The client may not have known.
  EXPECT_TRUE(Receive(Ask(stream)));
  EXPECT_EQ(response(stream).reset, uint32_t{NGHTTP2_REFUSED_STREAM});
  EXPECT_TRUE(answers_.goaways.empty());
  // Now it does.
  EXPECT_TRUE(Receive(MakeFrame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0) +
                      Ask(stream + 2)));
  EXPECT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(handler_.served, H2Session::kMaxStreams);
}

// INTERNAL_ERROR would tell the client not to try again.
TEST_F(H2BoundsTest, OneMoreCallThanTheLoopTakesIsRefusedAndMayBeTriedAgain) {
  std::vector<Call*> taken;
  while (Call* const call = calls_.Get()) taken.push_back(call);
  EXPECT_EQ(taken.size(), CallPool::kMaxCalls);
  EXPECT_TRUE(Receive(Preface() + Ask(1)));
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_REFUSED_STREAM});
  EXPECT_EQ(handler_.served, 0u);
  for (Call* const call : taken) calls_.Put(*call);
  EXPECT_TRUE(IsWell(3));
}

TEST_F(H2BoundsTest, ARequestThatNeverEndsIsAnsweredAndStopped) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kDecide)));
  const std::string more = Data(1, std::string(16'384, 'x'), 0);
  size_t sent = 0;
  while (!response(1).over()) {
    ASSERT_TRUE(Receive(more));
    sent += 16'384;
    ASSERT_LT(sent, kMaxRequestBytes + size_t{3} * H2Session::kWindowBytes);
  }
  EXPECT_EQ(response(1).trailer("grpc-status"), "8");
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_EQ(calls_.buffered_bytes, 0u);
  EXPECT_EQ(handler_.served, 0u);
  EXPECT_TRUE(Receive(more));
  EXPECT_TRUE(IsWell(3));
}

TEST_F(H2BoundsTest, WhatRequestsOfALoopHoldIsBounded) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kDecide)));
  calls_.buffered_bytes += CallPool::kMaxBufferedBytes - 100;  // of others
  EXPECT_TRUE(Receive(Data(1, std::string(100, 'x'), 0)));
  EXPECT_FALSE(response(1).over());
  EXPECT_TRUE(Receive(Data(1, "x", 0)));
  EXPECT_EQ(response(1).trailer("grpc-status"), "8");
  calls_.buffered_bytes -= CallPool::kMaxBufferedBytes - 100;
  EXPECT_EQ(calls_.buffered_bytes, 0u);
  EXPECT_TRUE(IsWell(3));
}

// A stream of small questions with large answers, none of which is read.
TEST_F(H2BoundsTest, WhatStreamsOfALoopHaveToSayIsBounded) {
  const std::string large(1 << 20, 'x');
  handler_.on_serve = [&large](Call& call) {
    absl::string_view message;
    while (call.received().Take(SIZE_MAX, message) ==
           MessageBuffer::Found::kMessage) {
      call.Send(large);
    }
  };
  EXPECT_TRUE(Receive(Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}) +
                      RequestHead(1, kReflect) + RequestHead(3, kReflect)));
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(Receive(Data(1, Prefixed("?"), 0)));
    EXPECT_LE(calls_.unsent_bytes, CallPool::kMaxUnsentBytes);
  }
  EXPECT_GT(calls_.unsent_bytes, CallPool::kMaxUnsentBytes / 2);
  EXPECT_TRUE(Receive(Data(3, Prefixed("?"))));
  EXPECT_EQ(response(3).trailer("grpc-status"), "8");
  // Who reads gets all that there is, and then the reason.
  EXPECT_TRUE(Receive(WindowUpdate(0, 1 << 30) + WindowUpdate(1, 1 << 30)));
  EXPECT_EQ(response(1).trailer("grpc-status"), "8");
  EXPECT_EQ(response(1).data.size(), 63 * Prefixed(large).size());
  EXPECT_EQ(calls_.unsent_bytes, 0u);
}

TEST_F(H2BoundsTest, AStreamThatIsReadSlowlyKeepsOnlyWhatIsNotRead) {
  handler_.on_serve = [](Call& call) {
    absl::string_view message;
    while (call.received().Take(SIZE_MAX, message) ==
           MessageBuffer::Found::kMessage) {
      call.Send(std::string(95, 'x'));
    }
  };
  EXPECT_TRUE(Receive(Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 50}}) +
                      RequestHead(1, kReflect)));
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Receive(Data(1, Prefixed("?"), 0)));
    EXPECT_EQ(calls_.unsent_bytes, 50u);
    EXPECT_TRUE(Receive(WindowUpdate(1, 100) + WindowUpdate(0, 100)));
    EXPECT_EQ(calls_.unsent_bytes, 0u);
  }
}

TEST_F(H2BoundsTest, ARequestThatTakesTooLongIsAnswered) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kDecide)));
  clock_.Advance(kPatience / 2);
  EXPECT_TRUE(Receive(RequestHead(3, kDecide) + Ask(5)));
  clock_.Advance(kPatience / 2);
  EXPECT_TRUE(session_->DropOverdue(kPatience));
  Pull();
  EXPECT_EQ(response(1).trailer("grpc-status"), "4");
  EXPECT_TRUE(response(1).reset.has_value());
  EXPECT_FALSE(response(3).over());
  EXPECT_TRUE(Receive(Data(3, Prefixed("x"))));
  EXPECT_EQ(response(3).trailer("grpc-status"), "0");
  EXPECT_EQ(session_->waiting_calls(), 0u);
}

TEST_F(H2BoundsTest, HeadersThatTakeTooLongEndTheConnection) {
  EXPECT_TRUE(Receive(Preface() + MakeFrame(NGHTTP2_HEADERS, 0, 1, "")));
  EXPECT_TRUE(session_->DropOverdue(kPatience));
  clock_.Advance(kPatience);
  EXPECT_FALSE(session_->DropOverdue(kPatience));
}

TEST_F(H2BoundsTest, AClientThatDoesNotBeginIsNotWaitedFor) {
  EXPECT_FALSE(session_->DropOverdue(kPatience));
  EXPECT_TRUE(Receive(NGHTTP2_CLIENT_MAGIC));
  EXPECT_FALSE(session_->DropOverdue(kPatience));
  EXPECT_TRUE(Receive(Settings({})));
  EXPECT_TRUE(session_->DropOverdue(kPatience));
}

// Its calls were kept as long as the client answered PINGs.
TEST_F(H2BoundsTest, AnAnswerThatIsNotFetchedIsDropped) {
  EXPECT_TRUE(
      Receive(Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}) + Ask(1)));
  EXPECT_EQ(session_->waiting_calls(), 1u);
  EXPECT_TRUE(session_->DropOverdue(kPatience));
  Pull();
  EXPECT_FALSE(response(1).over());
  EXPECT_TRUE(session_->DropOverdue(kPatience));
  Pull();
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_CANCEL});
  EXPECT_EQ(session_->open_calls(), 0u);
}

// CVE-2023-44487.
TEST_F(H2BoundsTest, RapidResetsEndTheConnectionAndDecideNothing) {
  EXPECT_TRUE(Receive(Preface()));
  size_t resets = 0;
  int32_t stream = 1;
  while (!session_->over()) {
    std::string bytes;
    for (int i = 0; i < 100; ++i, stream += 2)
      bytes += Ask(stream) + Reset(stream);
    ASSERT_TRUE(Receive(bytes));
    resets += 100;
    ASSERT_LT(resets, 20 * H2Session::kResetBurst);
  }
  EXPECT_GE(resets, H2Session::kResetBurst);
  EXPECT_EQ(handler_.served, 0u);
  EXPECT_EQ(answers_.goaways.size(), 1u);
}

// A client that makes the server reset instead, CVE-2025-8671.
TEST_F(H2BoundsTest, StreamsThatTheServerHasToResetAreNotKept) {
  std::vector<Call*> held;
  handler_.on_serve = [&held](Call& call) {
    call.Hold();
    held.push_back(&call);
    call.caller().OnGone([&call] { call.Release(); });
  };
  EXPECT_TRUE(Receive(Preface()));
  for (int32_t stream = 1; stream < 2001; stream += 2) {
    ASSERT_TRUE(Receive(Ask(stream) + WindowUpdate(stream, 0)));
    ASSERT_LE(calls_.size(), 1u);
  }
}

TEST_F(H2BoundsTest, APingIsAnsweredAndAFloodOfThemEndsTheConnection) {
  EXPECT_TRUE(Receive(Preface()));
  std::string most;
  for (size_t i = 0; i < H2Session::kMaxAcks - 1; ++i) most += Ping("12345678");
  EXPECT_EQ(FeedUntilOver(most, 10), 10u);
  EXPECT_EQ(answers_.ping_acks.size(), 10 * (H2Session::kMaxAcks - 1));
  EXPECT_FALSE(Receive(most + Ping("12345678") + Ping("12345678")));
}

TEST_F(H2BoundsTest, AFloodOfSettingsEndsTheConnection) {
  EXPECT_TRUE(Receive(Preface()));
  std::string flood;
  for (size_t i = 0; i <= H2Session::kMaxAcks; ++i) flood += Settings({});
  EXPECT_FALSE(Receive(flood));
}

TEST_F(H2BoundsTest, ASettingsFrameHasOnlySoManyEntries) {
  EXPECT_TRUE(Receive(Preface(std::vector<std::pair<uint16_t, uint32_t>>(
      H2Session::kMaxSettings, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1}))));
  EXPECT_TRUE(answers_.goaways.empty());
  Receive(Settings(std::vector<std::pair<uint16_t, uint32_t>>(
      H2Session::kMaxSettings + 1, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1})));
  EXPECT_TRUE(session_->over() || !answers_.goaways.empty());
}

// CVE-2024-28182. What nghttp2 allows is more than 64 KiB of headers take.
TEST_F(H2BoundsTest, AFloodOfContinuationsEndsTheConnection) {
  EXPECT_TRUE(Receive(Preface() + MakeFrame(NGHTTP2_HEADERS, 0, 1, "")));
  EXPECT_LT(FeedUntilOver(MakeFrame(NGHTTP2_CONTINUATION, 0, 1, ""), 100),
            100u);
  EXPECT_EQ(handler_.served, 0u);
}

// They cost what reading them costs, and leave nothing behind.
TEST_F(H2BoundsTest, FramesThatSayNothingLeaveNothingBehind) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kDecide)));
  for (const std::string& frame :
       {Data(1, "", 0), WindowUpdate(1, 1), WindowUpdate(0, 1),
        MakeFrame(NGHTTP2_PRIORITY, 0, 5, std::string(5, '\0')),
        MakeFrame(0xee, 0, 1, "unknown"), Reset(1).substr(0, 0)}) {
    std::string flood;
    for (int i = 0; i < 10'000; ++i) flood += frame;
    EXPECT_TRUE(Receive(flood));
  }
  EXPECT_EQ(calls_.buffered_bytes, 0u);
  EXPECT_EQ(calls_.size(), 1u);
  EXPECT_TRUE(Receive(Data(1, Prefixed("x"))));
  EXPECT_EQ(response(1).data, Prefixed("x"));
}

}  // namespace
}  // namespace rls
