// The bounds on the resources that a client of a session can use.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "unit/rpc/lean/h2_session_fixture.h"

namespace rls {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

class H2BoundsTest : public H2SessionTest {
 protected:
  // Feeds the same bytes, one read after the other, until the session ends, at
  // most `most` times. Returns the number of successful reads.
  size_t FeedUntilOver(const std::string& bytes, size_t most) {
    for (size_t i = 0; i < most; ++i) {
      if (!Receive(bytes) || session_->over()) return i;
    }
    return most;
  }

  // The session has ended with ENHANCE_YOUR_CALM.
  bool IsCalmed() const {
    return session_->calmed() && session_->over() &&
           !answers_.goaways.empty() &&
           answers_.goaways.back().code == NGHTTP2_ENHANCE_YOUR_CALM;
  }

  bool IsServed(int32_t stream) {
    Receive(RateLimitCall(stream));
    return response(stream).trailer("grpc-status") == "0";
  }
};

TEST_F(H2BoundsTest, TheNumberOfOpenStreamsIsBounded) {
  handler_.on_serve = [](Call&) {};
  EXPECT_TRUE(Receive(Preface()));
  EXPECT_EQ(answers_.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS],
            H2Session::kMaxStreams);
  int32_t stream = 1;
  for (uint32_t i = 0; i < H2Session::kMaxStreams; ++i, stream += 2) {
    ASSERT_TRUE(Receive(RateLimitCall(stream)));
  }
  // The client may not have read the setting yet.
  EXPECT_TRUE(Receive(RateLimitCall(stream)));
  EXPECT_EQ(response(stream).reset, uint32_t{NGHTTP2_REFUSED_STREAM});
  EXPECT_EQ(Reported("refused_calls", "streams"), 1);
  EXPECT_TRUE(answers_.goaways.empty());
  // The client has acknowledged the setting.
  EXPECT_TRUE(Receive(MakeFrame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0) +
                      RateLimitCall(stream + 2)));
  EXPECT_EQ(answers_.goaways.size(), 1u);
  EXPECT_EQ(handler_.served, H2Session::kMaxStreams);
}

// After REFUSED_STREAM the client may send the request again; after
// INTERNAL_ERROR it may not.
TEST_F(H2BoundsTest, ACallBeyondTheBoundOfTheLoopIsRefusedAndMayBeSentAgain) {
  std::vector<Call*> taken;
  while (Call* const call = calls_.Get()) taken.push_back(call);
  EXPECT_EQ(taken.size(), CallPool::kMaxCalls);
  EXPECT_TRUE(Receive(Preface() + RateLimitCall(1)));
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_REFUSED_STREAM});
  EXPECT_EQ(handler_.served, 0u);
  for (Call* const call : taken) calls_.Put(*call);
  EXPECT_TRUE(IsServed(3));
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
  EXPECT_TRUE(IsServed(3));
}

// A bug: the bound was of the loop only, so that one client could use it up.
TEST_F(H2BoundsTest, TheBufferedRequestsOfAConnectionAreBounded) {
  const std::unique_ptr<H2Session> greedy = NewSession();
  EXPECT_TRUE(greedy->Receive(Preface() + WindowUpdate(0, 1 << 30)));
  const std::string part(16'384, 'x');
  for (int32_t stream = 1; stream < 400; stream += 2) {
    EXPECT_TRUE(greedy->Receive(RequestHead(stream, kDecide)));
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(greedy->Receive(Data(stream, part, 0)));
      while (!greedy->Pull().empty()) {
      }
      ASSERT_LE(calls_.buffered_bytes, H2Session::kMaxBufferedBytes);
    }
  }
  EXPECT_GT(calls_.buffered_bytes,
            H2Session::kMaxBufferedBytes - 4 * part.size());
  EXPECT_EQ(greedy->held_bytes(), calls_.buffered_bytes);
  EXPECT_GT(Reported("refused_calls", "request_bytes"), 20);
  EXPECT_TRUE(Receive(Preface()));
  EXPECT_TRUE(IsServed(1));
}

TEST_F(H2BoundsTest, TheBufferedRequestsOfALoopAreBounded) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kDecide)));
  calls_.buffered_bytes += CallPool::kMaxBufferedBytes - 100;  // by other calls
  EXPECT_TRUE(Receive(Data(1, std::string(100, 'x'), 0)));
  EXPECT_FALSE(response(1).over());
  EXPECT_TRUE(Receive(Data(1, "x", 0)));
  EXPECT_EQ(response(1).trailer("grpc-status"), "8");
  calls_.buffered_bytes -= CallPool::kMaxBufferedBytes - 100;
  EXPECT_EQ(calls_.buffered_bytes, 0u);
  EXPECT_TRUE(IsServed(3));
}

// The client sends small messages, gets large answers, and does not read them.
TEST_F(H2BoundsTest, UnsentAnswersAreBounded) {
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
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Receive(Data(1, Prefixed("?"), 0)));
    EXPECT_LE(calls_.unsent_bytes, H2Session::kMaxUnsentBytes);
  }
  EXPECT_GT(calls_.unsent_bytes, H2Session::kMaxUnsentBytes / 2);
  EXPECT_TRUE(Receive(Data(3, Prefixed("?"))));
  EXPECT_EQ(response(3).trailer("grpc-status"), "8");
  EXPECT_EQ(Reported("refused_calls", "response_bytes"), 2);
  // A client that reads gets the kept answers, and then the status.
  EXPECT_TRUE(Receive(WindowUpdate(0, 1 << 30) + WindowUpdate(1, 1 << 30)));
  EXPECT_EQ(response(1).trailer("grpc-status"), "8");
  EXPECT_EQ(response(1).data.size(), 7 * Prefixed(large).size());
  EXPECT_EQ(calls_.unsent_bytes, 0u);
  // The bound of the loop: other connections have the rest.
  calls_.unsent_bytes += CallPool::kMaxUnsentBytes;
  EXPECT_TRUE(Receive(RequestHead(5, kReflect) + Data(5, Prefixed("?"))));
  EXPECT_EQ(response(5).trailer("grpc-status"), "8");
  calls_.unsent_bytes -= CallPool::kMaxUnsentBytes;
}

TEST_F(H2BoundsTest, AStreamThatIsReadSlowlyKeepsOnlyTheUnreadBytes) {
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
  EXPECT_TRUE(Receive(RequestHead(3, kDecide) + RateLimitCall(5)));
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

TEST_F(H2BoundsTest, AClientWithoutSettingsEndsTheConnection) {
  EXPECT_FALSE(session_->DropOverdue(kPatience));
  EXPECT_TRUE(Receive(NGHTTP2_CLIENT_MAGIC));
  EXPECT_FALSE(session_->DropOverdue(kPatience));
  EXPECT_TRUE(Receive(Settings({})));
  EXPECT_TRUE(session_->DropOverdue(kPatience));
}

// A bug kept such calls as long as the client answered PINGs.
TEST_F(H2BoundsTest, AnAnswerThatTheClientDoesNotTakeIsDropped) {
  EXPECT_TRUE(Receive(Preface({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}) +
                      RateLimitCall(1)));
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
  constexpr size_t kMost = FrameBudget::kBurst / 3;
  size_t resets = 0;
  int32_t stream = 1;
  while (!session_->over()) {
    std::string bytes;
    for (int i = 0; i < 100; ++i, stream += 2)
      bytes += RateLimitCall(stream) + Reset(stream);
    ASSERT_TRUE(Receive(bytes));
    resets += 100;
    ASSERT_LE(resets, kMost + 100);
  }
  EXPECT_GE(resets, kMost - 100);
  EXPECT_EQ(handler_.served, 0u);
  EXPECT_TRUE(IsCalmed());
  EXPECT_EQ(Reported("ended_connections", "frames"), 1);
}

// CVE-2025-8671: the client forces the server to reset the streams.
TEST_F(H2BoundsTest, StreamsThatTheServerMustResetAreNotKept) {
  std::vector<Call*> retained;
  handler_.on_serve = [&retained](Call& call) {
    call.Retain();
    retained.push_back(&call);
    call.caller().OnGone([&call] { call.Release(); });
  };
  EXPECT_TRUE(Receive(Preface()));
  for (int32_t stream = 1; stream < 2001; stream += 2) {
    ASSERT_TRUE(Receive(RateLimitCall(stream) + WindowUpdate(stream, 0)));
    ASSERT_LE(calls_.size(), 1u);
  }
}

TEST_F(H2BoundsTest, APingIsAnsweredAndAFloodOfPingsEndsTheConnection) {
  EXPECT_TRUE(Receive(Preface()));
  std::string most;
  for (size_t i = 0; i < H2Session::kMaxAcks - 1; ++i) most += Ping("12345678");
  EXPECT_EQ(FeedUntilOver(most, 10), 10u);
  EXPECT_EQ(answers_.ping_acks.size(), 10 * (H2Session::kMaxAcks - 1));
  EXPECT_FALSE(Receive(most + Ping("12345678") + Ping("12345678")));
  EXPECT_EQ(Reported("ended_connections", "protocol"), 1);
}

TEST_F(H2BoundsTest, AFloodOfSettingsEndsTheConnection) {
  EXPECT_TRUE(Receive(Preface()));
  constexpr size_t kMost = FrameBudget::kBurst / FrameBudget::kSettings;
  EXPECT_LT(FeedUntilOver(Settings({}), kMost), kMost);
  EXPECT_TRUE(IsCalmed());
}

// SETTINGS with a new window size changes each open stream. The work is
// therefore bounded by the number of such frames and of streams.
TEST_F(H2BoundsTest, NoSettingsAreAppliedBeyondTheBudget) {
  handler_.on_serve = [](Call&) {};
  EXPECT_TRUE(Receive(Preface()));
  for (uint32_t i = 0; i < H2Session::kMaxStreams; ++i) {
    ASSERT_TRUE(Receive(RateLimitCall(static_cast<int32_t>(2 * i + 1))));
  }
  std::string flood;
  for (uint32_t i = 0; i < 900; ++i) {
    flood += Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 + i % 2}});
  }
  const size_t acks = answers_.settings_acks;
  EXPECT_TRUE(Receive(flood));
  EXPECT_TRUE(session_->calmed());
  EXPECT_EQ(answers_.settings_acks, acks);
  EXPECT_EQ(answers_.goaways.back().code, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
}

// A client that may set priorities can make the library reorder its streams.
TEST_F(H2BoundsTest, PrioritiesAreRefused) {
  EXPECT_TRUE(Receive(Preface()));
  EXPECT_EQ(answers_.settings[NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES], 1u);
  EXPECT_TRUE(Receive(MakeFrame(NGHTTP2_PRIORITY, 0, 3, BigEndian(1) + "w") +
                      RateLimitCall(1)));
  EXPECT_EQ(response(1).trailer("grpc-status"), "0");
  EXPECT_TRUE(answers_.goaways.empty());
  // h2spec demands this, although such frames have no effect.
  for (const int32_t stream : {0, 1}) {
    Open();
    Receive(Preface() +
            MakeFrame(NGHTTP2_PRIORITY, 0, stream, BigEndian(1) + "w"));
    ASSERT_FALSE(answers_.goaways.empty());
    EXPECT_EQ(answers_.goaways.back().code, uint32_t{NGHTTP2_PROTOCOL_ERROR});
  }
}

TEST_F(H2BoundsTest, FramesThatCarryNoRequestSpendTheBudget) {
  constexpr size_t kPortion = 100;
  for (const std::string& frame :
       {Ping("12345678"), WindowUpdate(0, 1), WindowUpdate(1, 1),
        Data(1, "", 0), Data(1, "x", 0),
        MakeFrame(NGHTTP2_PRIORITY, 0, 5, std::string(5, '\0')),
        MakeFrame(0xee, 0, 1, "unknown"), Reset(3),
        MakeFrame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0)}) {
    Open();
    answers_.goaways.clear();
    // The reset concerns a stream that was open before.
    Receive(Preface() + RequestHead(1, kDecide) + RequestHead(3, kDecide));
    std::string portion;
    for (size_t i = 0; i < kPortion; ++i) portion += frame;
    constexpr size_t kMost = FrameBudget::kBurst / kPortion;
    EXPECT_LE(FeedUntilOver(portion, kMost + 1), kMost);
    // Without an open PING or SETTINGS, an acknowledgement is an error of the
    // protocol, and so is a frame on a stream that is closed.
    EXPECT_TRUE(!answers_.goaways.empty());
  }
  EXPECT_GE(Reported("ended_connections", "frames"), 6);
}

TEST_F(H2BoundsTest, TheBudgetGrowsWithTime) {
  EXPECT_TRUE(Receive(Preface()));
  std::string pings;
  for (int64_t i = 0; i < FrameBudget::kPerSecond / 100; ++i) {
    pings += Ping("12345678");
  }
  for (int i = 0; i < 1'000; ++i) {
    clock_.Advance(absl::Milliseconds(10));
    ASSERT_TRUE(Receive(pings));
    ASSERT_FALSE(session_->calmed());
  }
  // A clock that is set back takes nothing away, and gives nothing.
  clock_.Advance(-absl::Hours(1));
  EXPECT_TRUE(Receive(pings));
  EXPECT_FALSE(session_->calmed());
  const auto most = static_cast<size_t>(FrameBudget::kBurst);
  EXPECT_LT(FeedUntilOver(pings, most), most);
  EXPECT_TRUE(IsCalmed());
}

// Three further frames of each request: the flow control of gRPC's clients.
TEST_F(H2BoundsTest, AClientThatSendsRequestsKeepsItsBudget) {
  EXPECT_TRUE(Receive(Preface()));
  for (int32_t stream = 1; stream < 100'000; stream += 2) {
    ASSERT_TRUE(Receive(RateLimitCall(stream)));
    ASSERT_TRUE(Receive(WindowUpdate(stream, 5) + WindowUpdate(0, 5) +
                        Ping("12345678") + Reset(stream)));
    ASSERT_FALSE(session_->calmed()) << stream;
    clock_.Advance(absl::Nanoseconds(1));
  }
}

// A large body in full frames is bounded by its bytes.
TEST_F(H2BoundsTest, FullFramesAreFree) {
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kReflect)));
  handler_.on_serve = [](Call& call) {
    absl::string_view message;
    call.received().Take(SIZE_MAX, message);
  };
  const std::string full =
      Data(1, Prefixed(std::string(FrameBudget::kFreeDataBytes, 'x')), 0);
  for (int64_t i = 0; i < 2 * FrameBudget::kBurst; ++i) {
    ASSERT_TRUE(Receive(full));
    ASSERT_FALSE(session_->calmed());
  }
  EXPECT_EQ(handler_.served, 2u * FrameBudget::kBurst);
}

TEST_F(H2BoundsTest, TheEntriesOfASettingsFrameAreBounded) {
  EXPECT_TRUE(Receive(Preface(std::vector<std::pair<uint16_t, uint32_t>>(
      H2Session::kMaxSettings, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1}))));
  EXPECT_TRUE(answers_.goaways.empty());
  Receive(Settings(std::vector<std::pair<uint16_t, uint32_t>>(
      H2Session::kMaxSettings + 1, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1})));
  EXPECT_TRUE(session_->over() || !answers_.goaways.empty());
}

// A bug: one small frame could name many large fields, and each was checked.
TEST_F(H2BoundsTest, HeadersBeyondTheBoundAreCutOff) {
  const std::string bomb = RepeatedField("x", std::string(3'900, 'x'), 12'000);
  EXPECT_TRUE(Receive(Preface()));
  const auto request = [&bomb](int32_t stream) {
    return MakeFrame(NGHTTP2_HEADERS,
                     NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream,
                     HeaderBlock(RequestFields(kDecide)) + bomb);
  };
  EXPECT_TRUE(Receive(request(1)));
  EXPECT_EQ(response(1).reset, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_EQ(Reported("refused_calls", "headers"), 1);
  EXPECT_EQ(session_->open_calls(), 0u);
  // Trailers, too.
  EXPECT_TRUE(Receive(
      RequestHead(3, kDecide) +
      MakeFrame(NGHTTP2_HEADERS,
                NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3, bomb)));
  EXPECT_EQ(response(3).reset, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_EQ(session_->open_calls(), 0u);
  EXPECT_TRUE(IsServed(5));
  EXPECT_EQ(handler_.served, 1u);
  constexpr int32_t kMost = FrameBudget::kBurst / FrameBudget::kLargeHeaders;
  int32_t bombs = 0;
  for (; !session_->over() && bombs <= kMost; ++bombs) {
    Receive(request(2 * bombs + 7));
  }
  EXPECT_LE(bombs, kMost);
  EXPECT_TRUE(IsCalmed());
  EXPECT_EQ(Reported("ended_connections", "headers"), 1);
}

TEST_F(H2BoundsTest, TheMessagesOfAStreamSpendTheBudget) {
  handler_.on_serve = [](Call& call) {
    absl::string_view message;
    while (!call.finished() && call.received().Take(SIZE_MAX, message) ==
                                   MessageBuffer::Found::kMessage) {
      call.Send("x");
    }
  };
  EXPECT_TRUE(Receive(Preface() + RequestHead(1, kReflect)));
  std::string messages;
  for (int i = 0; i < 2'000; ++i) messages += Prefixed("?");
  EXPECT_TRUE(Receive(Data(1, messages, 0)));
  EXPECT_TRUE(session_->calmed());
  EXPECT_LE(handler_.served, 1u);
  EXPECT_LE(response(1).data.size(),
            Prefixed("x").size() * FrameBudget::kBurst / FrameBudget::kMessage);
}

TEST_F(H2BoundsTest, UnfinishedRequestsAreAShortageLongBeforeTheLastCall) {
  int shortages = 0;
  CallPool calls([&shortages] { ++shortages; });
  for (size_t i = 0; i <= CallPool::kMaxIncompleteCalls / 8 * 7; ++i) {
    calls.CheckShortage();
    EXPECT_EQ(shortages, 0);
    ++calls.incomplete_calls;
  }
  calls.CheckShortage();
  EXPECT_EQ(shortages, 1);
  EXPECT_EQ(calls.shortage(), CallPool::Shortage::kCalls);
  --calls.incomplete_calls;
  EXPECT_EQ(calls.shortage(), CallPool::Shortage::kNone);
  EXPECT_EQ(calls.lasting_shortage(), CallPool::Shortage::kCalls);
  calls.incomplete_calls = CallPool::kMaxIncompleteCalls / 8 * 6;
  EXPECT_EQ(calls.lasting_shortage(), CallPool::Shortage::kNone);
  for (size_t* const bytes : {&calls.buffered_bytes, &calls.unsent_bytes}) {
    *bytes = CallPool::kMaxBufferedBytes / 8 * 7 + 1;
    EXPECT_EQ(calls.shortage(), CallPool::Shortage::kBytes);
    *bytes = 0;
  }
}

// CVE-2024-28182. The bound of nghttp2 is more than 64 KiB of headers need.
TEST_F(H2BoundsTest, AFloodOfContinuationsEndsTheConnection) {
  EXPECT_TRUE(Receive(Preface() + MakeFrame(NGHTTP2_HEADERS, 0, 1, "")));
  EXPECT_LT(FeedUntilOver(MakeFrame(NGHTTP2_CONTINUATION, 0, 1, ""), 100),
            100u);
  EXPECT_EQ(handler_.served, 0u);
}

// Such frames use time to read them, but no memory.
TEST_F(H2BoundsTest, FramesWithoutEffectUseNoMemory) {
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
