// The protocol of gRPC over HTTP/2, tested with hand-made frames.

#include <gmock/gmock.h>

#include <vector>

#include "rpc/rpc_server.h"
#include "unit/rpc/lean/lean_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCheckHealth[] = "/grpc.health.v1.Health/Check";

// Values of grpc-status.
constexpr char kOk[] = "0";
constexpr char kInvalidArgument[] = "3";
constexpr char kResourceExhausted[] = "8";
constexpr char kUnimplemented[] = "12";
constexpr char kInternal[] = "13";
constexpr char kUnavailable[] = "14";

class LeanProtocolTest : public LeanServerTest {
 protected:
  // The grpc-status of a call with these headers.
  std::string StatusWith(const Fields& more) {
    return Request(kDecide, more, Prefixed(RateLimitMessage()))
        .trailer("grpc-status");
  }
  // The grpc-status of a call with this body.
  std::string StatusOf(const std::string& body) {
    return Request(kDecide, {}, body).trailer("grpc-status");
  }
};

TEST_F(LeanProtocolTest, AnAnswerIsHeadersAMessageAndTrailers) {
  const Response answer = Request(kDecide, {}, Prefixed(RateLimitMessage()));
  EXPECT_EQ(answer.header(":status"), "200");
  EXPECT_EQ(answer.header("content-type"), "application/grpc");
  EXPECT_EQ(answer.header("grpc-status"), "-");
  EXPECT_EQ(answer.trailers, (Fields{{"grpc-status", "0"}}));
  // The overall_code is OK, and there is one status.
  EXPECT_EQ(answer.data.substr(0, 7),
            Prefixed(answer.data.substr(5)).substr(0, 5) + "\x08\x01");
  EXPECT_FALSE(answer.reset.has_value());
}

TEST_F(LeanProtocolTest, AnErrorIsTrailersOnly) {
  const Response answer = Request(kDecide, {}, Prefixed(""));
  EXPECT_EQ(answer.headers, answer.trailers);
  EXPECT_EQ(answer.trailers,
            (Fields{{":status", "200"},
                    {"content-type", "application/grpc"},
                    {"grpc-status", kInvalidArgument},
                    {"grpc-message", "domain: must not be empty"}}));
  EXPECT_EQ(answer.data, "");
}

TEST_F(LeanProtocolTest, TheMessageOfAnErrorIsPercentEncoded) {
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError("100% \"caf\xc3\xa9\"\n"));
  });
  const Response answer = Request(kDecide, {}, Prefixed(RateLimitMessage()));
  EXPECT_EQ(answer.trailer("grpc-status"), kUnavailable);
  EXPECT_EQ(answer.trailer("grpc-message"), "100%25 \"caf%C3%A9\"%0A");
}

TEST_F(LeanProtocolTest, TheMessageOfAnErrorIsNoLongerThanClientsAccept) {
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError(std::string(100'000, '\n')));
  });
  const Response answer = Request(kDecide, {}, Prefixed(RateLimitMessage()));
  EXPECT_EQ(answer.trailer("grpc-status"), kUnavailable);
  EXPECT_THAT(answer.trailer("grpc-message"), HasSubstr("%0A%0A"));
  EXPECT_LT(answer.trailer("grpc-message").size(), 8u << 10);
}

TEST_F(LeanProtocolTest, TheTimeoutOfACallIsTheDeadlineOfItsQuery) {
  std::vector<absl::Duration> left;
  limiter_.SetAnswer([&](const Query& query, auto done) {
    left.push_back(query.deadline - clock_->Now());
    Verdict verdict;
    verdict.statuses.resize(1);
    done(&verdict);
  });
  EXPECT_EQ(StatusWith({{"grpc-timeout", "100S"}}), kOk);
  EXPECT_EQ(StatusWith({}), kOk);
  limiter_.AwaitAnswered(2);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_LE(left[0], absl::Seconds(100));
  EXPECT_GT(left[0], absl::Seconds(30));
  EXPECT_EQ(left[1], absl::InfiniteDuration());
}

TEST_F(LeanProtocolTest, ATimeoutThatHasPassedIsNotDecided) {
  EXPECT_EQ(StatusWith({{"grpc-timeout", "0n"}}), "4");
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(LeanProtocolTest, AMalformedTimeoutIsAnError) {
  for (const char* timeout : {"", "1", "1x", "-1S", "123456789S"}) {
    EXPECT_EQ(StatusWith({{"grpc-timeout", timeout}}), kInternal) << timeout;
  }
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(LeanProtocolTest, GrpcHasItsContentType) {
  for (const char* type : {"application/grpc+proto", "application/grpc",
                           "application/grpc;charset=utf-8"}) {
    EXPECT_EQ(StatusWith({{"content-type", type}}), kOk) << type;
  }
  for (const char* type : {"text/plain", "application/grpc-web", ""}) {
    const Response answer = Request(kDecide, {{"content-type", type}},
                                    Prefixed(RateLimitMessage()));
    EXPECT_EQ(answer.header(":status"), "415") << type;
  }
}

TEST_F(LeanProtocolTest, NoContentTypeIsNoGrpc) {
  RawClient client = Connect();
  client.Send(Preface() +
              MakeFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
                        HeaderBlock({{":method", "POST"},
                                     {":scheme", "http"},
                                     {":path", kDecide},
                                     {":authority", "test"}})) +
              Data(1, Prefixed(RateLimitMessage())));
  EXPECT_EQ(client.Await(1).header(":status"), "415");
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(LeanProtocolTest, OnlyPostIsAllowed) {
  for (const char* method : {"GET", "HEAD", "PUT", "OPTIONS"}) {
    const Response answer = Request(kDecide, {{":method", method}}, "");
    EXPECT_EQ(answer.header(":status"), "405") << method;
    EXPECT_EQ(answer.header("allow"), "POST");
    EXPECT_EQ(answer.data, method == absl::string_view("HEAD")
                               ? ""
                               : "gRPC only: POST application/grpc");
  }
}

TEST_F(LeanProtocolTest, AnUnknownMethodIsUnimplemented) {
  for (const char* path :
       {"/", "/a.B/C", "/envoy.service.ratelimit.v3.RateLimitService/Other",
        "/grpc.health.v1.Health/Other"}) {
    EXPECT_EQ(Request(path, {}, Prefixed("")).trailer("grpc-status"),
              kUnimplemented)
        << path;
  }
}

TEST_F(LeanProtocolTest, AMessageMayComeInManyFrames) {
  RawClient client = Connect();
  client.Send(Preface() + RequestHead(1, kDecide));
  for (const char byte : Prefixed(RateLimitMessage())) {
    client.Send(Data(1, std::string(1, byte), 0));
    client.Send(Data(1, "", 0));
  }
  client.Send(Data(1, ""));
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), kOk);
}

TEST_F(LeanProtocolTest, BytesMayArriveOneByOne) {
  RawClient client = Connect();
  for (const char byte : Preface() + RateLimitCall(1) + RateLimitCall(3)) {
    client.Send(std::string(1, byte));
  }
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), kOk);
  EXPECT_EQ(client.Await(3).trailer("grpc-status"), kOk);
}

TEST_F(LeanProtocolTest, TrailersOfTheRequestAreIgnored) {
  RawClient client = Connect();
  client.Send(Preface() + RequestHead(1, kDecide) +
              Data(1, Prefixed(RateLimitMessage()), 0) +
              MakeFrame(NGHTTP2_HEADERS,
                        NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
                        HeaderBlock({{"grpc-timeout", "0n"}})));
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), kOk);
}

TEST_F(LeanProtocolTest, AUnaryCallHasOneMessage) {
  EXPECT_EQ(
      StatusOf(Prefixed(RateLimitMessage()) + Prefixed(RateLimitMessage())),
      kUnimplemented);
  EXPECT_EQ(StatusOf(""), kUnimplemented);
  EXPECT_EQ(Request(kCheckHealth, {}, "").trailer("grpc-status"),
            kUnimplemented);
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(LeanProtocolTest, AMessageThatIsCutOffIsAnError) {
  const std::string whole = Prefixed(RateLimitMessage());
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(StatusOf(whole.substr(0, size)), kInternal) << size;
  }
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(LeanProtocolTest, AMessageMayBeAsLargeAsTheLimitAndNoLarger) {
  Start({.max_request_bytes = 100});
  // An unknown field fills the message up to the wanted size.
  const auto message = [](size_t size) {
    const std::string padding(size - RateLimitMessage().size() - 2, 'x');
    return RateLimitMessage() + "\x7a" + static_cast<char>(padding.size()) +
           padding;
  };
  ASSERT_EQ(message(100).size(), 100u);
  EXPECT_EQ(StatusOf(Prefixed(message(100))), kOk);
  EXPECT_EQ(StatusOf(Prefixed(message(101))), kResourceExhausted);
  // The length in the prefix is enough to refuse the message.
  EXPECT_EQ(StatusOf({"\0\xff\xff\xff\xff", 5}), kResourceExhausted);
}

// gRPC's default of 8 KiB is too small for gateways that forward tracing
// headers.
TEST_F(LeanProtocolTest, HeadersMayHaveSixtyFourKilobytesAndNoMore) {
  const auto answer_with = [this](size_t bytes) {
    RawClient client = Connect();
    std::string block = HeaderBlock(
        RequestFields(kDecide, {{"tracestate", std::string(bytes, 'x')}}));
    client.Send(Preface() + MakeFrame(NGHTTP2_HEADERS, 0, 1, ""));
    for (; block.size() > 16'384; block.erase(0, 16'384)) {
      client.Send(
          MakeFrame(NGHTTP2_CONTINUATION, 0, 1, block.substr(0, 16'384)));
    }
    client.Send(
        MakeFrame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, block) +
        Data(1, Prefixed(RateLimitMessage())));
    return client.Await(1);
  };
  EXPECT_EQ(answer_with(60'000).trailer("grpc-status"), kOk);
  EXPECT_EQ(answer_with(65'500).reset, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  RawClient client = Connect();
  client.Send(Preface());
  while (client.answers.settings.empty()) ASSERT_TRUE(client.Read());
  EXPECT_EQ(client.answers.settings[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE],
            static_cast<uint32_t>(kMaxMetadataBytes));
}

TEST_F(LeanProtocolTest, OnlyRateLimitCallsAreCounted) {
  StatusOf(Prefixed(RateLimitMessage()));
  StatusOf(Prefixed(""));
  StatusOf("");
  Request(kCheckHealth, {}, Prefixed(""));
  Request("/a.B/C", {}, Prefixed(""));
  EXPECT_THAT(metrics_->Text(), HasSubstr("{grpc_code=\"OK\"} 1"));
  EXPECT_THAT(metrics_->Text(),
              HasSubstr("{grpc_code=\"INVALID_ARGUMENT\"} 1"));
  EXPECT_THAT(metrics_->Text(), Not(HasSubstr("UNIMPLEMENTED\"} 1")));
}

TEST_F(LeanProtocolTest, HealthIsCheckedByNameAndWatched) {
  Start();
  const std::string serving = Prefixed("\x08\x01");
  const std::string not_serving = Prefixed("\x08\x02");
  EXPECT_EQ(Request(kCheckHealth, {}, Prefixed("")).data, not_serving);
  server_->SetServing(true);
  EXPECT_EQ(Request(kCheckHealth, {}, Prefixed("\x0a\x09ratelimit")).data,
            serving);
  EXPECT_EQ(
      Request(kCheckHealth, {}, Prefixed("\x0a\x01x")).trailer("grpc-status"),
      "5");
  EXPECT_EQ(Request(kCheckHealth, {}, Prefixed("\xff")).trailer("grpc-status"),
            kInvalidArgument);

  RawClient watcher = Connect();
  watcher.Send(Preface() + RequestHead(1, "/grpc.health.v1.Health/Watch") +
               Data(1, Prefixed("")));
  const auto await = [&](const std::string& data) {
    while (watcher.answers.response(1).data.size() < data.size()) {
      ASSERT_TRUE(watcher.Read());
    }
    EXPECT_EQ(watcher.answers.response(1).data, data);
  };
  await(serving);
  server_->SetServing(true);  // no change
  server_->SetServing(false);
  await(serving + not_serving);
  server_->SetServing(true);
  await(serving + not_serving + serving);
  server_->Shutdown(absl::Minutes(1));
  EXPECT_EQ(watcher.Await(1).trailer("grpc-status"), kUnavailable);
  EXPECT_EQ(watcher.answers.response(1).data,
            serving + not_serving + serving + not_serving);
}

class LeanReflectionTest : public LeanServerTest {
 protected:
  static std::string ReflectionRequest(int field, const std::string& value) {
    return Prefixed(std::string(1, static_cast<char>(field << 3 | 2)) +
                    static_cast<char>(value.size()) + value);
  }
  static std::string ListServices() { return ReflectionRequest(7, ""); }
  static std::string FileOf(const std::string& symbol) {
    return ReflectionRequest(4, symbol);
  }
};

TEST_F(LeanReflectionTest, ServicesAreListedInBothVersions) {
  for (const std::string version : {"v1", "v1alpha"}) {
    const Response answer =
        Request("/grpc.reflection." + version +
                    ".ServerReflection/ServerReflectionInfo",
                {}, ListServices());
    EXPECT_EQ(answer.trailer("grpc-status"), kOk);
    EXPECT_THAT(answer.data,
                HasSubstr("envoy.service.ratelimit.v3.RateLimitService"));
    EXPECT_THAT(answer.data, HasSubstr("grpc.health.v1.Health"));
  }
}

TEST_F(LeanReflectionTest, ASymbolLeadsToItsFileAndItsImports) {
  const Response answer = Request(
      kReflect, {}, FileOf("envoy.service.ratelimit.v3.RateLimitService"));
  EXPECT_EQ(answer.trailer("grpc-status"), kOk);
  EXPECT_THAT(answer.data, HasSubstr("envoy/service/ratelimit/v3/rls.proto"));
  EXPECT_THAT(answer.data, HasSubstr("ShouldRateLimit"));
  EXPECT_THAT(answer.data, HasSubstr("google/protobuf/duration.proto"));
}

// Without them grpcurl once printed `overall_code`.
TEST_F(LeanReflectionTest, AFileHasTheNamesOfJson) {
  const Response answer = Request(
      kReflect, {}, FileOf("envoy.service.ratelimit.v3.RateLimitService"));
  EXPECT_THAT(answer.data, HasSubstr("overall_code"));
  EXPECT_THAT(answer.data, HasSubstr("overallCode"));
}

TEST_F(LeanReflectionTest, ARepeatedRequestHasTheSameAnswer) {
  const std::string request =
      FileOf("envoy.service.ratelimit.v3.RateLimitService");
  const std::string first = Request(kReflect, {}, request).data;
  EXPECT_NE(Request(kReflect, {}, FileOf("grpc.health.v1.Health")).data, first);
  EXPECT_EQ(Request(kReflect, {}, request + request).data, first + first);
}

TEST_F(LeanReflectionTest, AnUnknownSymbolDoesNotEndTheCall) {
  const Response answer = Request(kReflect, {}, FileOf("a.B") + ListServices());
  EXPECT_EQ(answer.trailer("grpc-status"), kOk);
  EXPECT_THAT(answer.data, HasSubstr("not found"));
  EXPECT_THAT(answer.data, HasSubstr("grpc.health.v1.Health"));
}

TEST_F(LeanReflectionTest, AnInvalidRequestEndsTheCall) {
  for (const std::string& body :
       {Prefixed(""), Prefixed("\xff\xff"), ReflectionRequest(1, "host")}) {
    EXPECT_EQ(Request(kReflect, {}, body).trailer("grpc-status"),
              kInvalidArgument);
  }
  EXPECT_EQ(
      Request(kReflect, {}, ListServices().substr(0, 6)).trailer("grpc-status"),
      kInternal);
  EXPECT_EQ(Request(kReflect, {}, "").trailer("grpc-status"), kOk);
}

TEST_F(LeanReflectionTest, EachRequestIsAnsweredWhenItArrives) {
  RawClient client = Connect();
  client.Send(Preface() + RequestHead(1, kReflect));
  std::string answered;
  for (int i = 0; i < 5; ++i) {
    client.Send(Data(1, ListServices(), 0));
    const size_t had = answered.size();
    while (client.answers.response(1).data.size() <= had) {
      ASSERT_TRUE(client.Read());
    }
    answered = client.answers.response(1).data;
  }
  client.Send(Data(1, ""));
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), kOk);
  EXPECT_EQ(client.answers.response(1).data, answered);
}

}  // namespace
}  // namespace rls
