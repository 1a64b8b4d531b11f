#include "rpc/rpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <deque>
#include <latch>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "temp_folder.h"
#include "unit/limiter/fake_limiter.h"
#include "unit/rpc/raw_client.h"
#include "unit/rpc/transports.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using envoy::service::ratelimit::v3::RateLimitService;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

constexpr char kMethod[] =
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

RateLimitRequest Request() {
  RateLimitRequest request;
  request.set_domain("d");
  request.add_descriptors()->add_entries()->set_key("k");
  return request;
}

// The behaviour of both transports, tested with gRPC's own client.
class RpcServerTest : public ::testing::TestWithParam<Transport> {
 protected:
  RpcServerTest() { Start({}); }

  void Start(RpcServerOptions options) {
    server_.reset();
    options.address = address_;
    options.threads = 1;
    auto server = GetParam().make(options, handler_, *clock_, *metrics_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(),
                                   grpc::InsecureChannelCredentials());
    stub_ = RateLimitService::NewStub(channel_);
    health_ = grpc::health::v1::Health::NewStub(channel_);
  }

  grpc::Status Call(const RateLimitRequest& request,
                    RateLimitResponse* response = nullptr) {
    RateLimitResponse unused;
    grpc::ClientContext context;
    return stub_->ShouldRateLimit(&context, request,
                                  response == nullptr ? &unused : response);
  }

  // Sends bytes that the generated classes cannot produce.
  grpc::Status CallRaw(const std::string& bytes) {
    grpc::GenericStub generic(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    auto call = generic.PrepareUnaryCall(&context, kMethod, request, &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  grpc::Status Check(const std::string& service,
                     HealthCheckResponse::ServingStatus& status) {
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    grpc::ClientContext context;
    grpc::Status result = health_->Check(&context, request, &response);
    status = response.status();
    return result;
  }

  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  FakeLimiter limiter_;
  RateLimitHandler handler_{limiter_, *clock_, {}};
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<RateLimitService::Stub> stub_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

TEST_P(RpcServerTest, AnswersAndCountsByCode) {
  RateLimitResponse response;
  ASSERT_TRUE(Call(Request(), &response).ok());
  EXPECT_EQ(response.overall_code(), RateLimitResponse::OK);
  EXPECT_EQ(response.statuses_size(), 1);
  const grpc::Status bad = Call(RateLimitRequest());
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(bad.error_message(), "domain: must not be empty");
  EXPECT_THAT(metrics_->Text(), HasSubstr("{grpc_code=\"OK\"} 1"));
  EXPECT_THAT(metrics_->Text(),
              HasSubstr("{grpc_code=\"INVALID_ARGUMENT\"} 1"));
}

TEST_P(RpcServerTest, ManyCallsAtOnceAreAllAnswered) {
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      for (int call = 0; call < 200; ++call) {
        EXPECT_TRUE(Call(Request()).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limiter_.checks(), 1600);
}

TEST_P(RpcServerTest, ValuesThatAreNotUtf8AreChecked) {
  // domain "d", one descriptor with one entry "k" = FF FE.
  const std::string bytes(
      "\x0a\x01"
      "d\x12\x09\x0a\x07\x0a\x01"
      "k\x12\x02\xff\xfe",
      14);
  std::string seen;
  limiter_.SetAnswer([&seen](const Query& query, auto done) {
    seen = std::string(query.descriptors[0].entries[0].value);
    Verdict verdict;
    verdict.statuses.resize(1);
    done(&verdict);
  });
  EXPECT_TRUE(CallRaw(bytes).ok());
  limiter_.AwaitAnswered(1);
  EXPECT_EQ(seen, "\xff\xfe");
}

TEST_P(RpcServerTest, MalformedBytesAreAnInvalidArgument) {
  EXPECT_EQ(CallRaw("\xff\xff\xff").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_P(RpcServerTest, TheCallersDeadlineReachesTheLimiter) {
  std::vector<absl::Time> deadlines;
  limiter_.SetAnswer([&deadlines](const Query& query, auto done) {
    deadlines.push_back(query.deadline);
    Verdict verdict;
    verdict.statuses.resize(1);
    done(&verdict);
  });
  EXPECT_TRUE(Call(Request()).ok());
  RateLimitResponse response;
  grpc::ClientContext context;
  const absl::Time deadline = absl::Now() + absl::Minutes(5);
  context.set_deadline(absl::ToChronoTime(deadline));
  EXPECT_TRUE(stub_->ShouldRateLimit(&context, Request(), &response).ok());
  limiter_.AwaitAnswered(2);
  ASSERT_EQ(deadlines.size(), 2u);
  EXPECT_GT(deadlines[0], deadline + absl::Hours(24 * 365));
  EXPECT_LT(absl::AbsDuration(deadlines[1] - deadline), absl::Minutes(1));
}

// Sends hand-made frames: gRPC's client reports that it has cancelled a call,
// but not when the server has received the cancellation.
TEST_P(RpcServerTest, ACallThatIsCancelledWhileItWaitsIsNeverChecked) {
  std::latch release(1);
  limiter_.SetAnswer([&release](const Query&, auto done) {
    release.wait();  // blocks the only queue thread
    Verdict verdict;
    verdict.statuses.resize(1);
    done(&verdict);
  });
  RawClient client(server_->address());
  client.Send(Preface() + RateLimitCall(1));
  limiter_.AwaitChecks(1);
  client.Send(RateLimitCall(3) + Reset(3));
  release.count_down();
  EXPECT_EQ(client.Await(1).trailer("grpc-status"), "0");
  client.Send(RateLimitCall(5));
  EXPECT_EQ(client.Await(5).trailer("grpc-status"), "0");
  EXPECT_EQ(limiter_.checks(), 2);
}

TEST_P(RpcServerTest, AnswersMayComeLaterAndFromAnotherThread) {
  std::vector<std::thread> answering;
  limiter_.SetAnswer([&answering](const Query&, Limiter::CheckCallback done) {
    answering.emplace_back([done = std::move(done)]() mutable {
      Verdict verdict;
      verdict.statuses.resize(1);
      done(&verdict);
    });
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Call(Request()).ok());
  limiter_.AwaitAnswered(20);
  for (std::thread& thread : answering) thread.join();
}

TEST_P(RpcServerTest, TheLimiterLearnsThatTheCallerOfAHeldRequestLeft) {
  limiter_.SetAnswer([](const Query& query, Limiter::CheckCallback done) {
    ASSERT_NE(query.caller, nullptr);
    query.caller->OnGone([done = std::move(done)]() mutable {
      done(absl::CancelledError("gone"));
    });
  });
  grpc::ClientContext context;
  std::thread caller([&] {
    RateLimitResponse response;
    EXPECT_EQ(
        stub_->ShouldRateLimit(&context, Request(), &response).error_code(),
        grpc::StatusCode::CANCELLED);
  });
  limiter_.AwaitAnswered(1);
  context.TryCancel();
  caller.join();
  // Returns only after the call has ended.
  server_->Shutdown(absl::Minutes(1));
}

// More calls than the queue registers at its start.
TEST_P(RpcServerTest, HeldCallsDoNotBlockOtherCalls) {
  constexpr int kHeld = 1500;
  // Before its first call, gRPC's client may not have read the window sizes of
  // the server.
  ASSERT_TRUE(Call(Request()).ok());
  std::vector<Limiter::CheckCallback> held;
  limiter_.SetAnswer([&held](const Query&, Limiter::CheckCallback done) {
    if (held.size() < kHeld) {
      held.push_back(std::move(done));
    } else {
      Verdict verdict;
      verdict.statuses.resize(1);
      done(&verdict);
    }
  });
  struct AsyncCall {
    grpc::ClientContext context;
    RateLimitResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<RateLimitResponse>> reader;
  };
  grpc::CompletionQueue queue;
  std::deque<AsyncCall> calls(kHeld);
  for (AsyncCall& call : calls) {
    call.reader = stub_->AsyncShouldRateLimit(&call.context, Request(), &queue);
    call.reader->Finish(&call.response, &call.status, &call);
  }
  limiter_.AwaitAnswered(kHeld + 1);
  EXPECT_TRUE(Call(Request()).ok());
  for (Limiter::CheckCallback& done : held) {
    Verdict verdict;
    verdict.statuses.resize(1);
    done(&verdict);
  }
  for (int i = 0; i < kHeld; ++i) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(static_cast<AsyncCall*>(tag)->status.ok());
  }
}

TEST_P(RpcServerTest, ShutdownFinishesCallsInFlight) {
  Limiter::CheckCallback pending;
  limiter_.SetAnswer([&pending](const Query&, Limiter::CheckCallback done) {
    pending = std::move(done);
  });
  std::thread caller([this] { EXPECT_TRUE(Call(Request()).ok()); });
  limiter_.AwaitAnswered(1);
  std::thread stopping([this] { server_->Shutdown(absl::Minutes(1)); });
  HealthCheckResponse::ServingStatus unused;
  while (Check("", unused).ok()) std::this_thread::yield();
  Verdict verdict;
  verdict.statuses.resize(1);
  pending(&verdict);
  caller.join();
  stopping.join();
}

TEST_P(RpcServerTest, ShutdownCancelsCallsThatOutlastItsGrace) {
  Limiter::CheckCallback pending;
  limiter_.SetAnswer([&pending](const Query&, Limiter::CheckCallback done) {
    pending = std::move(done);
  });
  std::thread caller([this] { EXPECT_FALSE(Call(Request()).ok()); });
  limiter_.AwaitAnswered(1);
  std::thread stopping([this] { server_->Shutdown(absl::ZeroDuration()); });
  caller.join();
  // The limiter answers after the call has ended.
  Verdict verdict;
  verdict.statuses.resize(1);
  pending(&verdict);
  stopping.join();
}

TEST_P(RpcServerTest, HealthFollowsSetServingForEachName) {
  HealthCheckResponse::ServingStatus status;
  for (const bool serving : {false, true, false}) {
    server_->SetServing(serving);
    for (const char* name :
         {"", "ratelimit", "envoy.service.ratelimit.v3.RateLimitService"}) {
      ASSERT_TRUE(Check(name, status).ok());
      EXPECT_EQ(status, serving ? HealthCheckResponse::SERVING
                                : HealthCheckResponse::NOT_SERVING);
    }
  }
  EXPECT_EQ(Check("other", status).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(RpcServerTest, HealthListsEachNameWithItsStatus) {
  for (const bool serving : {false, true}) {
    server_->SetServing(serving);
    grpc::ClientContext context;
    grpc::health::v1::HealthListResponse list;
    ASSERT_TRUE(health_->List(&context, {}, &list).ok());
    std::set<std::string> names;
    for (const auto& [name, response] : list.statuses()) {
      names.insert(name);
      EXPECT_EQ(response.status(), serving ? HealthCheckResponse::SERVING
                                           : HealthCheckResponse::NOT_SERVING);
    }
    EXPECT_THAT(names, ::testing::ElementsAre(
                           "", "envoy.service.ratelimit.v3.RateLimitService",
                           "ratelimit"));
  }
}

TEST_P(RpcServerTest, WatchersReceiveEachChangeAndTheEnd) {
  server_->SetServing(true);
  grpc::ClientContext context;
  grpc::ClientContext other_context;
  HealthCheckRequest request;
  HealthCheckResponse response;
  const auto watch = health_->Watch(&context, request);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  request.set_service("other");
  const auto other = health_->Watch(&other_context, request);
  ASSERT_TRUE(other->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  other_context.TryCancel();

  server_->SetServing(false);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  ASSERT_TRUE(watch->Read(&response));
  server_->Shutdown(absl::Minutes(1));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  other->Finish();
}

TEST_P(RpcServerTest, AMessageOverTheLimitIsRefused) {
  Start({.max_request_bytes = 2048});
  RateLimitRequest request = Request();
  EXPECT_TRUE(Call(request).ok());
  request.mutable_descriptors(0)->mutable_entries(0)->set_value(
      std::string(4096, 'x'));
  EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_P(RpcServerTest, ACallWithManyHeadersIsAnswered) {
  RateLimitResponse response;
  grpc::ClientContext context;
  context.AddMetadata("tracestate", std::string(60'000, 'x'));
  EXPECT_TRUE(stub_->ShouldRateLimit(&context, Request(), &response).ok());
}

TEST_P(RpcServerTest, TheCallsOfAConnectionAreBounded) {
  RawClient client(server_->address());
  client.Send(Preface());
  while (client.answers.settings.empty()) ASSERT_TRUE(client.Read());
  EXPECT_EQ(client.answers.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS],
            2'048u);
}

TEST_P(RpcServerTest, ABoundOnConnectionsThatHasNoEffectIsNamed) {
  ::testing::internal::CaptureStderr();
  const auto bounded = GetParam().make(
      {.address = "127.0.0.1:0", .threads = 1, .max_connections = 5}, handler_,
      *clock_, *metrics_);
  ASSERT_TRUE(bounded.ok()) << bounded.status();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(absl::StrContains(log, "MAX_CONNECTIONS"),
            absl::string_view(GetParam().name) == "Grpc")
      << log;
}

TEST_P(RpcServerTest, AConnectionEndsAtItsAgeAndNoCallFails) {
  Start({.max_connection_age = absl::Milliseconds(50)});
  ASSERT_TRUE(Call(Request()).ok());
  EXPECT_TRUE(channel_->WaitForStateChange(
      GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + absl::Minutes(1))));
  EXPECT_TRUE(Call(Request()).ok());
}

// A regression test: zero was treated as one millisecond.
TEST_P(RpcServerTest, AnAgeOfZeroMeansNever) {
  Start({.max_connection_age = absl::ZeroDuration(),
         .max_connection_age_grace = absl::ZeroDuration(),
         .keepalive_time = absl::ZeroDuration(),
         .keepalive_timeout = absl::ZeroDuration()});
  ASSERT_TRUE(Call(Request()).ok());
  EXPECT_FALSE(channel_->WaitForStateChange(
      GRPC_CHANNEL_READY,
      absl::ToChronoTime(absl::Now() + absl::Milliseconds(100))));
}

TEST_P(RpcServerTest, AUnixSocketIsServed) {
  const TempFolder folder;
  address_ = absl::StrCat("unix:", (folder.path() / "socket").string());
  Start({});
  EXPECT_EQ(server_->address(), address_);
  EXPECT_TRUE(Call(Request()).ok());
}

TEST_P(RpcServerTest, ATakenAddressIsAnErrorThatNamesIt) {
  const auto second = GetParam().make({.address = server_->address()}, handler_,
                                      *clock_, *metrics_);
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(server_->address()));
}

INSTANTIATE_TEST_SUITE_P(Transports, RpcServerTest, BothTransports(),
                         NameOfTransport);

}  // namespace
}  // namespace rls
