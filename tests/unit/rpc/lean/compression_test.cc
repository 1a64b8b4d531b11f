// Requests that the client has compressed.

#include <gmock/gmock.h>
#include <zlib.h>

#include <string>

#include "rpc/lean/inflate.h"
#include "unit/rpc/lean/lean_fixture.h"

namespace rls {
namespace {

// Values of grpc-status.
constexpr char kOk[] = "0";
constexpr char kInvalidArgument[] = "3";
constexpr char kResourceExhausted[] = "8";
constexpr char kUnimplemented[] = "12";
constexpr char kInternal[] = "13";

constexpr char kAll[] = "identity,deflate,gzip";

std::string Compressed(Encoding encoding, const std::string& text) {
  z_stream stream = {};
  const int window = encoding == Encoding::kGzip ? 15 + 16 : 15;
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 8,
                         Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string bytes(deflateBound(&stream, text.size()), 0);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(bytes.size() - stream.avail_out);
  deflateEnd(&stream);
  return bytes;
}

TEST(EncodingTest, IsTheExactName) {
  EXPECT_EQ(EncodingOf("identity"), Encoding::kIdentity);
  EXPECT_EQ(EncodingOf("gzip"), Encoding::kGzip);
  EXPECT_EQ(EncodingOf("deflate"), Encoding::kDeflate);
  for (const char* name : {"", "GZIP", "gzip,deflate", "snappy"}) {
    EXPECT_EQ(EncodingOf(name), Encoding::kUnknown) << name;
  }
}

class InflateTest : public ::testing::TestWithParam<Encoding> {
 protected:
  absl::StatusCode Inflated(const std::string& bytes, size_t max_bytes) {
    return Inflate(GetParam(), bytes, max_bytes, message_).code();
  }

  std::string message_;
};

TEST_P(InflateTest, AMessageOfAnySizeUpToTheBoundComesBack) {
  for (const size_t size : {0, 1, 4095, 4096, 4097, 8192, 100'000}) {
    const std::string text(size, 'x');
    const std::string bytes = Compressed(GetParam(), text);
    EXPECT_EQ(Inflated(bytes, size), absl::StatusCode::kOk) << size;
    EXPECT_EQ(message_, text);
    if (size == 0) continue;
    EXPECT_EQ(Inflated(bytes, size - 1), absl::StatusCode::kResourceExhausted);
  }
}

TEST_P(InflateTest, ABombTakesNoMoreMemoryThanTheBound) {
  const std::string bomb = Compressed(GetParam(), std::string(64 << 20, 0));
  EXPECT_EQ(Inflated(bomb, 4 << 20), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(message_.capacity(), size_t{8} << 20);
}

TEST_P(InflateTest, OtherBytesAreAnError) {
  const std::string bytes = Compressed(GetParam(), "some text, some text");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Inflated(bytes.substr(0, size), 100), absl::StatusCode::kInternal)
        << size;
  }
  EXPECT_EQ(Inflated(bytes + "x", 100), absl::StatusCode::kInternal);
  EXPECT_EQ(Inflated("some text", 100), absl::StatusCode::kInternal);
  const Encoding other =
      GetParam() == Encoding::kGzip ? Encoding::kDeflate : Encoding::kGzip;
  EXPECT_EQ(Inflated(Compressed(other, "text"), 100),
            absl::StatusCode::kInternal);
}

INSTANTIATE_TEST_SUITE_P(Encodings, InflateTest,
                         ::testing::Values(Encoding::kGzip,
                                           Encoding::kDeflate));

class CompressionTest : public LeanServerTest {
 protected:
  Response Ask(const std::string& encoding, const std::string& body) {
    return Request(kDecide, {{"grpc-encoding", encoding}}, body);
  }
};

TEST_F(CompressionTest, ACompressedRequestIsDecided) {
  for (const auto& [name, encoding] :
       {std::pair("gzip", Encoding::kGzip),
        std::pair("deflate", Encoding::kDeflate)}) {
    const Response answer =
        Ask(name, Prefixed(Compressed(encoding, RateLimitMessage()), 1));
    EXPECT_EQ(answer.trailer("grpc-status"), kOk) << name;
    EXPECT_EQ(answer.header("grpc-accept-encoding"), kAll);
    // The answer is not compressed.
    EXPECT_EQ(answer.data.substr(0, 1), std::string(1, 0));
    EXPECT_EQ(answer.header("grpc-encoding"), "-");
  }
  // Each message has its own flag for compression.
  EXPECT_EQ(Ask("gzip", Prefixed(RateLimitMessage())).trailer("grpc-status"),
            kOk);
  EXPECT_EQ(limiter_.checks(), 3);
}

TEST_F(CompressionTest, TheLimiterSeesTheMessageUntilItAnswers) {
  const std::string message = RateLimitMessage();
  absl::AnyInvocable<void(absl::StatusOr<const Verdict*>)> pending;
  const Query* query = nullptr;
  limiter_.SetAnswer([&](const Query& asked, auto done) {
    query = &asked;
    pending = std::move(done);
  });
  RawClient client = Connect();
  client.Send(Preface() + RequestHead(1, kDecide, {{"grpc-encoding", "gzip"}}) +
              Data(1, Prefixed(Compressed(Encoding::kGzip, message), 1)));
  limiter_.AwaitAnswered(1);
  EXPECT_EQ(query->domain, "d");
  EXPECT_EQ(query->descriptors[0].entries[0].value, "v");
  Verdict verdict;
  verdict.statuses.resize(1);
  pending(&verdict);
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), kOk);
}

TEST_F(CompressionTest, AnotherEncodingIsRefusedWithTheKnownOnes) {
  const std::string compressed = Prefixed(RateLimitMessage(), 1);
  const Response unknown = Ask("snappy", compressed);
  EXPECT_EQ(unknown.trailer("grpc-status"), kUnimplemented);
  EXPECT_EQ(unknown.trailer("grpc-accept-encoding"), kAll);
  EXPECT_EQ(Ask("identity", compressed).trailer("grpc-status"), kInternal);
  EXPECT_EQ(Request(kDecide, {}, compressed).trailer("grpc-status"), kInternal);
  EXPECT_EQ(Ask("gzip", compressed).trailer("grpc-status"), kInternal);
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(CompressionTest, AClientThatDoesNotCompressIsNotBothered) {
  const Response answer = Request(kDecide, {}, Prefixed(RateLimitMessage()));
  EXPECT_EQ(answer.header("grpc-accept-encoding"), "-");
}

// A bomb within the bound of a message, beyond it, and with a broken end.
TEST_F(CompressionTest, ABombIsRefusedAndManyEndTheConnection) {
  const std::string within =
      Compressed(Encoding::kGzip, std::string(4 << 20, 0));
  const std::string beyond =
      Compressed(Encoding::kGzip, std::string(6 << 20, 0));
  for (const auto& [bomb, status] :
       {std::pair(within, kInvalidArgument),
        std::pair(beyond, kResourceExhausted),
        std::pair(within.substr(0, within.size() - 1), kInternal)}) {
    const std::string message = Prefixed(bomb, 1);
    EXPECT_EQ(Ask("gzip", message).trailer("grpc-status"), status);
    RawClient client = Connect();
    client.Send(Preface());
    for (int32_t stream = 1; stream < 20; stream += 2) {
      client.Send(RequestHead(stream, kDecide, {{"grpc-encoding", "gzip"}}) +
                  Data(stream, message));
    }
    client.AwaitClose();
    ASSERT_FALSE(client.answers.goaways.empty()) << status;
    EXPECT_EQ(client.answers.goaways.back().code,
              uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  }
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(CompressionTest, ReflectionTakesCompressedRequests) {
  std::string list;  // field 7, list_services: ""
  list.assign("\x3a\x00", 2);
  const std::string body =
      Prefixed(Compressed(Encoding::kGzip, list), 1) + Prefixed(list);
  const Response answer =
      Request(kReflect, {{"grpc-encoding", "gzip"}}, body + body);
  EXPECT_EQ(answer.trailer("grpc-status"), kOk);
  EXPECT_THAT(answer.data, ::testing::HasSubstr("grpc.health.v1.Health"));
}

}  // namespace
}  // namespace rls
