#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "rpc/lean/call.h"
#include "rpc/lean/closed_streams.h"
#include "rpc/lean/grpc_words.h"
#include "rpc/lean/h2_memory.h"
#include "unit/rpc/lean/h2_frames.h"

namespace rls {
namespace {

TEST(GrpcTimeoutTest, IsDigitsAndAUnit) {
  const std::pair<const char*, absl::Duration> table[] = {
      {"1H", absl::Hours(1)},
      {"2M", absl::Minutes(2)},
      {"3S", absl::Seconds(3)},
      {"20m", absl::Milliseconds(20)},
      {"5u", absl::Microseconds(5)},
      {"6n", absl::Nanoseconds(6)},
      {"0S", absl::ZeroDuration()},
      {"007m", absl::Milliseconds(7)},
      {"99999999H", absl::Hours(99999999)},
  };
  for (const auto& [text, expected] : table) {
    EXPECT_EQ(ParseGrpcTimeout(text), expected) << text;
  }
}

TEST(GrpcTimeoutTest, AnythingElseIsMalformed) {
  for (const absl::string_view text :
       {"", "H", "1", "123456789m", "1s", "1h", "-1S", "+1S", "1.5S", " 1S",
        "1S ", "1 S", "1mS", "0x1S", "S1"}) {
    EXPECT_EQ(ParseGrpcTimeout(text), std::nullopt) << text;
  }
}

TEST(GrpcMessageTest, BytesThatAreNotPrintableAsciiAreEncoded) {
  EXPECT_EQ(EncodeGrpcMessage(""), "");
  EXPECT_EQ(EncodeGrpcMessage("ascii ~text"), "ascii ~text");
  EXPECT_EQ(EncodeGrpcMessage("100%"), "100%25");
  EXPECT_EQ(EncodeGrpcMessage("a\r\nb\x7f"), "a%0D%0Ab%7F");
  EXPECT_EQ(EncodeGrpcMessage("\xc3\xbc"), "%C3%BC");
  EXPECT_EQ(EncodeGrpcMessage(absl::string_view("\0\x1f", 2)), "%00%1F");
}

TEST(GrpcContentTypeTest, MayNameACodecOrParameters) {
  for (const char* type :
       {"application/grpc", "application/grpc+proto", "application/grpc+json",
        "application/grpc;charset=utf-8"}) {
    EXPECT_TRUE(IsGrpcContentType(type)) << type;
  }
  for (const char* type :
       {"", "application", "application/grpcx", "application/grpc-web",
        "application/grp", "text/plain", " application/grpc"}) {
    EXPECT_FALSE(IsGrpcContentType(type)) << type;
  }
}

TEST(MethodTest, IsTheWholePath) {
  EXPECT_EQ(MethodOf(kDecide), Method::kShouldRateLimit);
  EXPECT_EQ(MethodOf("/grpc.health.v1.Health/Check"), Method::kHealthCheck);
  EXPECT_EQ(MethodOf("/grpc.health.v1.Health/Watch"), Method::kHealthWatch);
  for (const char* version : {"v1", "v1alpha"}) {
    EXPECT_EQ(MethodOf(std::string("/grpc.reflection.") + version +
                       ".ServerReflection/ServerReflectionInfo"),
              Method::kReflection);
  }
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/grpc.health.v1.Health"),
        std::string(kDecide) + "/", std::string(kDecide).substr(1),
        std::string(kDecide) + "?a=b"}) {
    EXPECT_EQ(MethodOf(path), Method::kUnknown) << path;
  }
}

// The messages in `bytes`, which arrive `step` at a time.
std::vector<std::string> Messages(absl::string_view bytes, size_t step) {
  MessageBuffer buffer;
  std::vector<std::string> found;
  while (!bytes.empty()) {
    buffer.Append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    absl::string_view message;
    while (buffer.Take(100, message) == MessageBuffer::Found::kMessage) {
      found.emplace_back(message);
    }
  }
  EXPECT_TRUE(buffer.empty());
  return found;
}

TEST(MessageBufferTest, MessagesAreFoundInAnySplit) {
  const std::vector<std::string> sent = {"one", "", std::string(100, 'x'),
                                         "last"};
  std::string bytes;
  for (const std::string& message : sent) bytes += Prefixed(message);
  for (size_t step = 1; step <= bytes.size(); ++step) {
    EXPECT_EQ(Messages(bytes, step), sent) << step;
  }
}

TEST(MessageBufferTest, APrefixIsEnoughToRefuseAMessage) {
  absl::string_view message;
  MessageBuffer large;
  large.Append(Prefixed(std::string(101, 'x')).substr(0, 4));
  EXPECT_EQ(large.Take(100, message), MessageBuffer::Found::kNothing);
  large.Append(std::string(1, 101));
  EXPECT_EQ(large.Take(100, message), MessageBuffer::Found::kTooLarge);

  MessageBuffer huge;
  huge.Append(absl::string_view("\0\xff\xff\xff\xff", 5));
  EXPECT_EQ(huge.Take(100, message), MessageBuffer::Found::kTooLarge);
}

TEST(MessageBufferTest, ACompressedMessageIsTakenAsItIs) {
  absl::string_view message;
  MessageBuffer buffer;
  buffer.Append(Prefixed("x", 1).substr(0, 5));
  EXPECT_EQ(buffer.Take(100, message), MessageBuffer::Found::kNothing);
  buffer.Append("x");
  EXPECT_EQ(buffer.Take(100, message), MessageBuffer::Found::kCompressed);
  EXPECT_EQ(message, "x");
  EXPECT_TRUE(buffer.empty());
}

// A bug: if messages never ended at the end of a frame, all of them were kept.
TEST(MessageBufferTest, TakenMessagesAreNotKept) {
  const std::string bytes = Prefixed(std::string(95, 'x'));
  MessageBuffer buffer;
  buffer.Append(bytes.substr(0, 50));
  for (int i = 0; i < 1000; ++i) {
    buffer.Append(bytes.substr(50) + bytes.substr(0, 50));
    absl::string_view message;
    ASSERT_EQ(buffer.Take(100, message), MessageBuffer::Found::kMessage);
    ASSERT_EQ(message, bytes.substr(kMessagePrefixBytes));
    ASSERT_FALSE(buffer.empty());
    ASSERT_LE(buffer.size(), 4 * bytes.size());
  }
}

using Heads = std::vector<std::pair<int, int32_t>>;

Heads Walk(absl::string_view bytes, size_t step) {
  FrameWalk walk;
  Heads heads;
  while (!bytes.empty()) {
    walk.Feed(bytes.substr(0, step), [&heads](const FrameHead& head) {
      heads.emplace_back(head.type, head.stream_id);
    });
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return heads;
}

TEST(FrameWalkTest, FindsEachFrameInAnySplit) {
  const std::string bytes =
      Preface() +
      MakeFrame(NGHTTP2_DATA, 0, 0x01020304, std::string(300, 'x')) +
      Ping("12345678") + MakeFrame(NGHTTP2_HEADERS, 0, INT32_MAX) +
      MakeFrame(NGHTTP2_PRIORITY, 0, 7, BigEndian(9) + "w") +
      MakeFrame(NGHTTP2_PRIORITY, 0, 7, "cut") + MakeFrame(0xff, 0, 3);
  const Heads expected = {{NGHTTP2_SETTINGS, 0},
                          {NGHTTP2_DATA, 0x01020304},
                          {NGHTTP2_PING, 0},
                          {NGHTTP2_HEADERS, INT32_MAX},
                          {NGHTTP2_PRIORITY, 7},
                          {NGHTTP2_PRIORITY, 7},
                          {0xff, 3}};
  for (size_t step = 1; step <= bytes.size(); ++step) {
    EXPECT_EQ(Walk(bytes, step), expected) << step;
  }
}

TEST(FrameWalkTest, TheReservedBitIsIgnored) {
  std::string frame = MakeFrame(NGHTTP2_DATA, 0, 5);
  frame[5] = '\x80';
  EXPECT_EQ(Walk(NGHTTP2_CLIENT_MAGIC + frame, 1), (Heads{{NGHTTP2_DATA, 5}}));
}

TEST(FrameWalkTest, APriorityFrameNamesAnotherStream) {
  std::vector<int32_t> others;
  FrameWalk().Feed(
      NGHTTP2_CLIENT_MAGIC +
          MakeFrame(NGHTTP2_PRIORITY, 0, 7, BigEndian(9) + "w") +
          MakeFrame(NGHTTP2_PRIORITY, 0, 7, "cut") +
          MakeFrame(NGHTTP2_DATA, 0, 7, BigEndian(9)),
      [&](const FrameHead& head) { others.push_back(head.depends_on); });
  EXPECT_EQ(others, (std::vector<int32_t>{9, -1, -1}));
}

using Fault = ClosedStreams::Fault;

TEST(ClosedStreamsTest, AStreamThatTheClientClosedIsClosed) {
  ClosedStreams streams;
  EXPECT_EQ(streams.FaultOf(1), Fault::kNone);
  streams.Open(1);
  streams.Open(3);
  EXPECT_EQ(streams.FaultOf(1), Fault::kNone);
  streams.Close(1);
  EXPECT_EQ(streams.FaultOf(1), Fault::kClosed);
  EXPECT_EQ(streams.FaultOf(3), Fault::kNone);
  EXPECT_EQ(streams.last(), 3);
}

TEST(ClosedStreamsTest, SkippedStreamsCannotBeOpened) {
  ClosedStreams streams;
  streams.Open(5);
  for (const int32_t skipped : {1, 3}) {
    EXPECT_EQ(streams.FaultOf(skipped), Fault::kSkipped) << skipped;
  }
  EXPECT_EQ(streams.FaultOf(5), Fault::kNone);
  EXPECT_EQ(streams.FaultOf(7), Fault::kNone);
  streams.Open(11);
  EXPECT_EQ(streams.FaultOf(7), Fault::kSkipped);
  EXPECT_EQ(streams.FaultOf(9), Fault::kSkipped);
}

TEST(ClosedStreamsTest, OnlyTheLast64AreRemembered) {
  ClosedStreams streams;
  for (int32_t id = 1; id < 2001; id += 2) {
    streams.Open(id);
    streams.Close(id);
  }
  EXPECT_EQ(streams.FaultOf(1999), Fault::kClosed);
  EXPECT_EQ(streams.FaultOf(1999 - 2 * 63), Fault::kClosed);
  EXPECT_EQ(streams.FaultOf(1999 - 2 * 64), Fault::kNone);
}

TEST(H2MemoryTest, BlocksOfEverySizeCanBeWrittenAndUsedAgain) {
  H2Memory memory;
  nghttp2_mem& mem = *memory.mem();
  for (int round = 0; round < 3; ++round) {
    std::vector<std::pair<char*, size_t>> blocks;
    for (size_t size : {0, 1, 31, 32, 33, 64, 65, 2047, 2048, 2049, 100'000}) {
      auto* const block =
          static_cast<char*>(mem.malloc(size, mem.mem_user_data));
      ASSERT_NE(block, nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % alignof(std::max_align_t),
                0u);
      std::memset(block, static_cast<int>(size % 251), size);
      blocks.emplace_back(block, size);
    }
    for (const auto& [block, size] : blocks) {
      EXPECT_EQ(std::string(block, size),
                std::string(size, static_cast<char>(size % 251)));
      mem.free(block, mem.mem_user_data);
    }
  }
  mem.free(nullptr, mem.mem_user_data);
}

TEST(H2MemoryTest, CallocReturnsZeroesAlsoFromUsedBlocks) {
  H2Memory memory;
  nghttp2_mem& mem = *memory.mem();
  void* const used = mem.malloc(64, mem.mem_user_data);
  std::memset(used, 0xff, 64);
  mem.free(used, mem.mem_user_data);
  auto* const zeroes = static_cast<char*>(mem.calloc(4, 16, mem.mem_user_data));
  EXPECT_EQ(zeroes, used);
  EXPECT_EQ(std::string(zeroes, 64), std::string(64, '\0'));
  mem.free(zeroes, mem.mem_user_data);
}

TEST(H2MemoryTest, ReallocKeepsTheContents) {
  H2Memory memory;
  nghttp2_mem& mem = *memory.mem();
  auto* block = static_cast<char*>(mem.realloc(nullptr, 5, mem.mem_user_data));
  std::copy_n("12345", 5, block);
  for (const size_t size : {32, 33, 4000, 100'000, 10}) {
    block = static_cast<char*>(mem.realloc(block, size, mem.mem_user_data));
    ASSERT_EQ(std::string(block, 5), "12345");
  }
  mem.free(block, mem.mem_user_data);
}

TEST(H2MemoryTest, AnImpossibleSizeReturnsNull) {
  H2Memory memory;
  nghttp2_mem& mem = *memory.mem();
  EXPECT_EQ(mem.malloc(SIZE_MAX, mem.mem_user_data), nullptr);
  EXPECT_EQ(mem.calloc(SIZE_MAX, 2, mem.mem_user_data), nullptr);
}

}  // namespace
}  // namespace rls
