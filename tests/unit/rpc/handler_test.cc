#include "rpc/handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "fake_clock.h"
#include "metrics/statistics_text.h"
#include "rpc/read_query.h"
#include "unit/limiter/fake_limiter.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using ::testing::HasSubstr;

RateLimitRequest OneDescriptor() {
  RateLimitRequest request;
  request.set_domain("d");
  auto* entry = request.add_descriptors()->add_entries();
  entry->set_key("k");
  entry->set_value("v");
  return request;
}

std::string ReadError(const std::string& bytes) {
  Query query;
  const absl::Status status = ReadQuery(bytes, query);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

std::string ReadError(const RateLimitRequest& request) {
  return ReadError(request.SerializeAsString());
}

TEST(ReadQueryTest, ReadsEveryField) {
  RateLimitRequest request = OneDescriptor();
  request.set_hits_addend(7);
  auto* descriptor = request.mutable_descriptors(0);
  descriptor->mutable_hits_addend()->set_value(UINT64_MAX);
  descriptor->set_is_negative_hits(true);
  descriptor->mutable_limit()->set_requests_per_unit(9);
  descriptor->mutable_limit()->set_unit(envoy::type::v3::MINUTE);
  descriptor->mutable_limit()->mutable_unit_multiplier()->set_value(5);
  request.add_descriptors();
  const std::string bytes = request.SerializeAsString();
  Query query;
  ASSERT_TRUE(ReadQuery(bytes, query).ok());
  EXPECT_EQ(query.domain, "d");
  EXPECT_EQ(query.hits, 7u);
  ASSERT_EQ(query.descriptors.size(), 2u);
  const Descriptor& read = query.descriptors[0];
  EXPECT_EQ(read.entries.at(0).key, "k");
  EXPECT_EQ(read.entries.at(0).value, "v");
  EXPECT_EQ(read.hits, UINT64_MAX);
  EXPECT_TRUE(read.is_negative_hits);
  EXPECT_EQ(read.limit_override->limit, 9);
  EXPECT_EQ(read.limit_override->window, absl::Minutes(5));
  EXPECT_TRUE(query.descriptors[1].entries.empty());
  EXPECT_FALSE(query.descriptors[1].hits.has_value());
}

TEST(ReadQueryTest, AHitsAddendOfZeroIsNotAnAbsentOne) {
  RateLimitRequest request = OneDescriptor();
  request.mutable_descriptors(0)->mutable_hits_addend()->set_value(0);
  const std::string bytes = request.SerializeAsString();
  Query query;
  ASSERT_TRUE(ReadQuery(bytes, query).ok());
  EXPECT_EQ(query.descriptors[0].hits, 0u);
}

TEST(ReadQueryTest, ToleratesUnknownFieldsAndOtherWireTypes) {
  const std::string known = OneDescriptor().SerializeAsString();
  // Field 99 in each wire type, and field 1 (the domain) as a varint.
  const std::string unknown(
      "\x98\x06\x01\x99\x06"
      "12345678\x9a\x06\x02xy\x9d"
      "\x06"
      "1234\x08\x05",
      26);
  Query query;
  const std::string bytes = known + unknown;
  ASSERT_TRUE(ReadQuery(bytes, query).ok());
  EXPECT_EQ(query.domain, "d");
  EXPECT_EQ(query.descriptors.size(), 1u);
}

TEST(ReadQueryTest, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(ReadError(RateLimitRequest()), "domain: must not be empty");
  RateLimitRequest request;
  request.set_domain("d");
  EXPECT_EQ(ReadError(request), "descriptors: must not be empty");
  for (const int unit : {0, 8, 99, -1}) {
    request = OneDescriptor();
    request.mutable_descriptors(0)->mutable_limit()->set_unit(
        static_cast<envoy::type::v3::RateLimitUnit>(unit));
    EXPECT_THAT(ReadError(request), HasSubstr("descriptors[0].limit.unit: "));
  }
  request = OneDescriptor();
  auto* limit = request.mutable_descriptors(0)->mutable_limit();
  limit->set_unit(envoy::type::v3::YEAR);
  limit->mutable_unit_multiplier()->set_value(UINT32_MAX);
  EXPECT_THAT(ReadError(request), HasSubstr("longer than a year"));
}

// As in envoyproxy/ratelimit: the entry matches no rule.
TEST(ReadQueryTest, AnEntryMayHaveNoKey) {
  RateLimitRequest request = OneDescriptor();
  request.add_descriptors()->add_entries()->set_value("v");
  const std::string bytes = request.SerializeAsString();
  Query query;
  EXPECT_TRUE(ReadQuery(bytes, query).ok());
  EXPECT_EQ(query.descriptors[1].entries.at(0).value, "v");
}

TEST(ReadQueryTest, AnOverrideHasEachUnit) {
  const std::pair<envoy::type::v3::RateLimitUnit, absl::Duration> units[] = {
      {envoy::type::v3::SECOND, absl::Seconds(1)},
      {envoy::type::v3::MINUTE, absl::Minutes(1)},
      {envoy::type::v3::HOUR, absl::Hours(1)},
      {envoy::type::v3::DAY, absl::Hours(24)},
      {envoy::type::v3::WEEK, absl::Hours(24 * 7)},
      {envoy::type::v3::MONTH, absl::Hours(24 * 30)},
      {envoy::type::v3::YEAR, absl::Hours(24 * 365)}};
  for (const auto& [unit, length] : units) {
    RateLimitRequest request = OneDescriptor();
    request.mutable_descriptors(0)->mutable_limit()->set_unit(unit);
    const std::string bytes = request.SerializeAsString();
    Query query;
    ASSERT_TRUE(ReadQuery(bytes, query).ok()) << unit;
    EXPECT_EQ(query.descriptors[0].limit_override->window, length) << unit;
  }
}

TEST(ReadQueryTest, HoldsTheLimitsOfARequest) {
  const auto with_entry = [](size_t key, size_t value) {
    RateLimitRequest request = OneDescriptor();
    auto* entry = request.mutable_descriptors(0)->mutable_entries(0);
    entry->set_key(std::string(key, 'k'));
    entry->set_value(std::string(value, 'v'));
    return request;
  };
  const std::string most =
      with_entry(kMaxKeyBytes, kMaxValueBytes).SerializeAsString();
  Query query;
  EXPECT_TRUE(ReadQuery(most, query).ok());
  EXPECT_THAT(ReadError(with_entry(kMaxKeyBytes + 1, 1)),
              HasSubstr("entries[0].key: 4097 bytes, at most 4096"));
  EXPECT_THAT(ReadError(with_entry(1, kMaxValueBytes + 1)),
              HasSubstr("entries[0].value: 65537 bytes"));
  RateLimitRequest request = OneDescriptor();
  for (int i = 0; i < kMaxDescriptors; ++i) request.add_descriptors();
  EXPECT_THAT(ReadError(request), HasSubstr("descriptors: more than 1024"));
  request = OneDescriptor();
  for (int i = 0; i < kMaxEntries; ++i) {
    request.mutable_descriptors(0)->add_entries()->set_key("k");
  }
  EXPECT_THAT(ReadError(request), HasSubstr("entries: more than 64"));
  request = OneDescriptor();
  request.set_domain(std::string(kMaxDomainBytes + 1, 'd'));
  EXPECT_THAT(ReadError(request), HasSubstr("domain: 1025 bytes"));
}

TEST(CheckQueryTest, HoldsTheLimitsOfARequestOfAnotherProtocol) {
  const auto error = [](const Query& query) {
    const absl::Status status = CheckQuery(query);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  const std::string long_text(kMaxValueBytes + 1, 'x');
  Query query;
  EXPECT_EQ(error(query), "domain: must not be empty");
  query.domain = "d";
  EXPECT_EQ(error(query), "descriptors: must not be empty");
  query.descriptors.emplace_back();
  EXPECT_TRUE(CheckQuery(query).ok());
  auto& entries = query.descriptors.emplace_back().entries;
  entries.push_back({"k", ""});
  EXPECT_TRUE(CheckQuery(query).ok());
  entries[0] = {long_text, "v"};
  EXPECT_EQ(error(query),
            "descriptors[1].entries[0].key: 65537 bytes, at most 4096");
  entries[0] = {"k", long_text};
  EXPECT_EQ(error(query),
            "descriptors[1].entries[0].value: 65537 bytes, at most 65536");
  entries.assign(kMaxEntries + 1, Entry{"k", "v"});
  EXPECT_EQ(error(query), "descriptors[1].entries: more than 64");
  entries.clear();
  query.descriptors.resize(kMaxDescriptors + 1);
  EXPECT_EQ(error(query), "descriptors: more than 1024");
}

TEST(ReadQueryTest, EveryTruncationIsRefusedOrShorterNeverACrash) {
  RateLimitRequest request = OneDescriptor();
  request.mutable_descriptors(0)->mutable_limit()->set_unit(
      envoy::type::v3::DAY);
  const std::string bytes = request.SerializeAsString();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::string cut = bytes.substr(0, length);
    Query query;
    EXPECT_FALSE(ReadQuery(cut, query).ok()) << length;
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(byte);
      Query query;
      const absl::Status status = ReadQuery(changed, query);
      EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status));
    }
  }
}

// Uses only ASCII bytes, because the generated class refuses strings that are
// not UTF-8.
TEST(ReadQueryTest, AgreesWithTheGeneratedClassOnMalformedBytes) {
  RateLimitRequest request = OneDescriptor();
  request.mutable_descriptors(0)->mutable_hits_addend()->set_value(1'000'000);
  request.mutable_descriptors(0)->mutable_entries(0)->set_value(
      std::string(300, 'v'));
  const std::string bytes = request.SerializeAsString();
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int byte = 0; byte < 128; ++byte) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(byte);
      RateLimitRequest by_class;
      Query query;
      const bool is_read = ReadQuery(changed, query).ok();
      if (!by_class.ParseFromString(changed)) {
        EXPECT_FALSE(is_read) << at << " " << byte;
      } else if (is_read) {
        EXPECT_EQ(query.domain, by_class.domain()) << at << " " << byte;
        ASSERT_EQ(static_cast<int>(query.descriptors.size()),
                  by_class.descriptors_size());
        EXPECT_EQ(static_cast<int>(query.descriptors[0].entries.size()),
                  by_class.descriptors(0).entries_size());
      }
    }
  }
}

class HandlerTest : public ::testing::Test {
 protected:
  // Makes the limiter answer with one status, which leads if it has a limit.
  void AnswerWith(const LimitStatus& status) {
    limiter_.SetAnswer([status](const Query&, auto done) {
      Verdict verdict;
      verdict.over_limit = status.over_limit;
      verdict.statuses.push_back(status);
      if (status.policy != nullptr) verdict.leading = &verdict.statuses[0];
      done(&verdict);
    });
  }

  // The fake limiter answers before ShouldRateLimit() returns.
  RateLimitHandler::Answer Send(const std::string& bytes,
                                const AnswerSettings& settings = {},
                                absl::Duration timeout = absl::Seconds(1)) {
    RateLimitHandler handler(limiter_, clock_, settings);
    RateLimitHandler::Answer reply;
    handler.ShouldRateLimit(
        bytes, clock_.Now() + timeout, nullptr,
        [&](const RateLimitHandler::Answer& given) { reply = given; });
    return reply;
  }

  RateLimitResponse MustSend(const AnswerSettings& settings = {}) {
    const auto reply = Send(OneDescriptor().SerializeAsString(), settings);
    EXPECT_TRUE(reply.status.ok()) << reply.status;
    RateLimitResponse response;
    EXPECT_TRUE(response.ParseFromString(reply.response));
    EXPECT_EQ(reply.over_limit,
              response.overall_code() == RateLimitResponse::OVER_LIMIT);
    return response;
  }

  static std::string Headers(const RateLimitResponse& response) {
    std::string all;
    for (const auto& header : response.response_headers_to_add()) {
      absl::StrAppend(&all, header.key(), "=", header.value(), " ");
    }
    return all;
  }

  Policy policy_{.limit = 5, .window = absl::Minutes(1)};
  CompiledRule rule_;
  FakeClock clock_;
  FakeLimiter limiter_;
};

TEST_F(HandlerTest, ADescriptorWithoutLimitIsOkWithoutCurrentLimit) {
  const RateLimitResponse response = MustSend();
  EXPECT_EQ(response.overall_code(), RateLimitResponse::OK);
  ASSERT_EQ(response.statuses_size(), 1);
  EXPECT_EQ(response.statuses(0).code(), RateLimitResponse::OK);
  EXPECT_FALSE(response.statuses(0).has_current_limit());
  EXPECT_FALSE(response.statuses(0).has_duration_until_reset());
}

TEST_F(HandlerTest, UnlimitedIsTheLargestRemaining) {
  AnswerWith({.unlimited = true});
  EXPECT_EQ(MustSend().statuses(0).limit_remaining(), UINT32_MAX);
}

TEST_F(HandlerTest, ResetIsRoundedUpAndAmountsSaturate) {
  policy_.limit = int64_t{1} << 40;
  AnswerWith({.policy = &policy_,
              .remaining = int64_t{1} << 40,
              .reset = absl::Milliseconds(400)});
  const RateLimitResponse response = MustSend();
  EXPECT_EQ(response.statuses(0).duration_until_reset().seconds(), 1);
  EXPECT_EQ(response.statuses(0).limit_remaining(), UINT32_MAX);
  EXPECT_EQ(response.statuses(0).current_limit().requests_per_unit(),
            UINT32_MAX);
}

TEST_F(HandlerTest, WindowsAreShownInTheLargestUnit) {
  const auto shown = [this](absl::Duration window) {
    policy_.window = window;
    AnswerWith({.policy = &policy_});
    const auto limit = MustSend().statuses(0).current_limit();
    return std::make_pair(limit.unit(), limit.unit_multiplier().value());
  };
  using Limit = RateLimitResponse::RateLimit;
  EXPECT_EQ(shown(absl::Seconds(1)), std::make_pair(Limit::SECOND, 0u));
  EXPECT_EQ(shown(absl::Seconds(90)), std::make_pair(Limit::SECOND, 90u));
  EXPECT_EQ(shown(absl::Minutes(5)), std::make_pair(Limit::MINUTE, 5u));
  EXPECT_EQ(shown(absl::Hours(1)), std::make_pair(Limit::HOUR, 0u));
  EXPECT_EQ(shown(absl::Hours(24 * 7)), std::make_pair(Limit::WEEK, 0u));
  EXPECT_EQ(shown(absl::Hours(24 * 365)), std::make_pair(Limit::YEAR, 0u));
  policy_.calendar = Calendar::kMonth;
  EXPECT_EQ(shown(absl::Minutes(1)), std::make_pair(Limit::MONTH, 0u));
}

TEST_F(HandlerTest, HeadersComeWhenSwitchedOnUnderTheirNames) {
  AnswerWith(
      {.policy = &policy_, .remaining = 3, .reset = absl::Milliseconds(1500)});
  EXPECT_EQ(Headers(MustSend()), "");
  EXPECT_EQ(Headers(MustSend({.headers = true, .limit_header = "X-L"})),
            "X-L=5 RateLimit-Remaining=3 RateLimit-Reset=2 ");
}

TEST_F(HandlerTest, ARefusalHasRetryAfterBodyAndContentType) {
  rule_.message = "Say \"please\"\n";
  AnswerWith({.over_limit = true,
              .policy = &policy_,
              .rule = &rule_,
              .reset = absl::Seconds(60)});
  const RateLimitResponse response = MustSend({.headers = true});
  EXPECT_EQ(Headers(response),
            "RateLimit-Limit=5 RateLimit-Remaining=0 RateLimit-Reset=60 "
            "Retry-After=60 content-type=application/json ");
  EXPECT_EQ(response.raw_body(),
            "{\"status\": 429, \"message\": \"Say \\\"please\\\"\\n\"}");
}

TEST_F(HandlerTest, OnOkThereIsNoBodyAndNoContentType) {
  rule_.message = "no";
  AnswerWith({.policy = &policy_, .rule = &rule_});
  EXPECT_EQ(MustSend().raw_body(), "");
  EXPECT_EQ(Headers(MustSend()), "");
}

TEST_F(HandlerTest, AnUnsafeHeaderIsNeverSent) {
  AnswerWith({.policy = &policy_});
  EXPECT_EQ(Headers(MustSend({.headers = true,
                              .limit_header = "X\r\nSet-Cookie: a",
                              .remaining_header = "",
                              .reset_header = "Reset"})),
            "Reset=0 ");
  EXPECT_FALSE(IsSafeHeader("a", "b\nc"));
  EXPECT_FALSE(IsSafeHeader("a", "b\rc"));
  EXPECT_FALSE(IsSafeHeader("a", absl::string_view("b\0c", 3)));
  EXPECT_TRUE(IsSafeHeader("a", "b c"));
}

TEST_F(HandlerTest, MetadataHasRuleTierAndNumbers) {
  rule_.path = "tier free";
  rule_.tier = "free";
  AnswerWith({.policy = &policy_,
              .rule = &rule_,
              .remaining = 2,
              .reset = absl::Seconds(9)});
  EXPECT_FALSE(MustSend().has_dynamic_metadata());
  const auto response = MustSend({.dynamic_metadata = true});
  const auto& fields = response.dynamic_metadata().fields();
  EXPECT_EQ(fields.at("rule").string_value(), "tier free");
  EXPECT_EQ(fields.at("tier").string_value(), "free");
  EXPECT_EQ(fields.at("limit").number_value(), 5);
  EXPECT_EQ(fields.at("remaining").number_value(), 2);
  EXPECT_EQ(fields.at("reset").number_value(), 9);
}

TEST_F(HandlerTest, ADegradedRequestCarriesTheModelUpstream) {
  const DegradeRule degrade;
  const auto answer = [&](absl::string_view model) {
    return [this, &degrade, model](const Query&, auto done) {
      Verdict verdict;
      verdict.statuses.push_back(
          {.degraded = true, .policy = &policy_, .rule = &rule_});
      verdict.leading = &verdict.statuses[0];
      verdict.degraded = &degrade;
      verdict.model = model;
      done(&verdict);
    };
  };
  limiter_.SetAnswer(answer("small"));
  const RateLimitResponse response = MustSend();
  EXPECT_EQ(response.overall_code(), RateLimitResponse::OK);
  EXPECT_EQ(response.statuses(0).code(), RateLimitResponse::OK);
  ASSERT_EQ(response.request_headers_to_add_size(), 2);
  EXPECT_EQ(response.request_headers_to_add(0).key(), "x-ratelimit-degraded");
  EXPECT_EQ(response.request_headers_to_add(0).value(), "true");
  EXPECT_EQ(response.request_headers_to_add(1).key(), "x-model");
  EXPECT_EQ(response.request_headers_to_add(1).value(), "small");
  const auto& fields = response.dynamic_metadata().fields();
  EXPECT_TRUE(fields.at("degraded").bool_value());
  EXPECT_EQ(fields.at("model").string_value(), "small");
  EXPECT_EQ(response.raw_body(), "");
  // The model comes from the configuration, but it still cannot add a header.
  for (const char* model : {"", "a\r\nb: c"}) {
    limiter_.SetAnswer(answer(model));
    EXPECT_EQ(MustSend().request_headers_to_add_size(), 1);
  }
}

TEST_F(HandlerTest, ABadRequestNeverReachesTheLimiter) {
  EXPECT_TRUE(absl::IsInvalidArgument(Send("").status));
  EXPECT_TRUE(absl::IsInvalidArgument(Send("\xff\xff").status));
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(HandlerTest, APassedDeadlineNeverReachesTheLimiter) {
  const auto reply =
      Send(OneDescriptor().SerializeAsString(), {}, absl::ZeroDuration());
  EXPECT_TRUE(absl::IsDeadlineExceeded(reply.status));
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(HandlerTest, AFailureOfTheLimiterKeepsItsCode) {
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  });
  const auto reply = Send(OneDescriptor().SerializeAsString());
  EXPECT_TRUE(absl::IsUnavailable(reply.status));
  EXPECT_EQ(reply.status.message(), "store is away");
}

TEST(RequestMetricsTest, StatisticsHaveTheKindOfEachError) {
  const auto metrics = NewMetrics(NewStatistics({}));
  RequestMetrics requests(*metrics);
  for (const absl::StatusCode code :
       {absl::StatusCode::kOk, absl::StatusCode::kInvalidArgument,
        absl::StatusCode::kFailedPrecondition, absl::StatusCode::kUnavailable,
        absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable,
        absl::StatusCode::kCancelled}) {
    requests.Count(code, absl::Milliseconds(1));
  }
  const std::string text = PlainText(metrics->statistics()->Read());
  for (const char* line :
       {"ratelimit.service.call.should_rate_limit.service_error: 2\n",
        "ratelimit.service.call.should_rate_limit.redis_error: 3\n",
        "ratelimit_server.ShouldRateLimit.total_requests: 7\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace rls
