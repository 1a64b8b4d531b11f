#include "rpc/json.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/read_query.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::MessageToJsonString;

constexpr char kRest[] =
    R"("domain": "d", "descriptors": [{"entries": [{"key": "k"}]}]})";

TEST(JsonRequestTest, ReadsBothSpellingsOfNames) {
  for (const char* name : {"hitsAddend", "hits_addend"}) {
    JsonRequest request;
    const absl::Status read =
        request.Read(std::string("{\"") + name + "\": \"7\", " + kRest);
    ASSERT_TRUE(read.ok()) << read;
    EXPECT_EQ(request.query().domain, "d");
    EXPECT_EQ(request.query().hits, 7u);
  }
}

TEST(JsonRequestTest, RefusesJsonOfAnotherForm) {
  for (const char* start : {"", "x", "[]", "{\"domian\": \"d\", ",
                            "{\"domain\": {}, ", "{\"hitsAddend\": -1, "}) {
    JsonRequest request;
    EXPECT_TRUE(
        absl::IsInvalidArgument(request.Read(std::string(start) + kRest)))
        << start;
  }
}

// protobuf's parser takes each of these.
TEST(JsonRequestTest, RefusesTextsThatOnlyProtobufTakesForJson) {
  for (const char* json : {
           R"({"domain": "d", "descriptors": {}})",
           R"({"domain": "d", "descriptors": {"entries": []}})",
           R"({"domain": "d", "descriptors": [{"entries": {"key": "k"}}]})",
           R"({"domain": ["d"], "descriptors": [{}]})",
           R"({"domain": "d", "descriptors": [[{}]]})",
           R"({"domain": "d", "descriptors": [{"limit": [{"unit": 1}]}]})",
           R"({"domain": "d", "domain": "e", "descriptors": [{}]})",
           R"({"domain": "d", "descriptors": [{}], "descriptors": [{}]})",
           R"({"domain": "d", "descriptors": [{}], "hits_addend": 1,
               "hitsAddend": 2})",
           R"({"domain": "d", "dom\u0061in": "e", "descriptors": [{}]})",
           R"({domain: "d", "descriptors": [{}]})",
           R"({'domain': 'd', "descriptors": [{}]})",
           R"({"domain": 'd', "descriptors": [{}]})",
           R"({"domain": "d", "descriptors": [{}],})",
           R"({"domain": "d", "descriptors": [{},]})",
           R"({"domain": "d", "unknown": 1, "descriptors": [{}]})",
       }) {
    JsonRequest request;
    EXPECT_TRUE(absl::IsInvalidArgument(request.Read(json))) << json;
  }
}

TEST(JsonRequestTest, ReadsAbsentValuesAndOtherFormsOfNumbers) {
  JsonRequest request;
  const absl::Status read = request.Read(
      R"({"domain": "d,\"{", "hitsAddend": null, "descriptors": [
          {"entries": null}, {},
          {"entries": [{"key": "descriptors", "value": ""}, {}],
           "hitsAddend": "3", "isNegativeHits": true,
           "limit": {"requests_per_unit": 1.0, "unit": "WEEK",
                     "unitMultiplier": 1}}]})");
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_EQ(request.query().domain, "d,\"{");
  ASSERT_EQ(request.query().descriptors.size(), 3u);
  const Descriptor& last = request.query().descriptors[2];
  EXPECT_EQ(last.entries.size(), 2u);
  EXPECT_EQ(last.hits, 3u);
  EXPECT_EQ(last.limit_override->limit, 1);
  EXPECT_EQ(last.limit_override->window, absl::Hours(24 * 7));
}

RateLimitRequest OneDescriptor() {
  RateLimitRequest request;
  request.set_domain("d");
  auto* entry = request.add_descriptors()->add_entries();
  entry->set_key("k");
  entry->set_value("v");
  return request;
}

std::string JsonOf(const RateLimitRequest& request) {
  std::string json;
  EXPECT_TRUE(MessageToJsonString(request, &json).ok());
  return json;
}

TEST(JsonRequestTest, ReadsEveryField) {
  RateLimitRequest request = OneDescriptor();
  request.set_hits_addend(7);
  auto* descriptor = request.mutable_descriptors(0);
  descriptor->mutable_hits_addend()->set_value(UINT64_MAX);
  descriptor->set_is_negative_hits(true);
  descriptor->mutable_limit()->set_requests_per_unit(9);
  descriptor->mutable_limit()->set_unit(envoy::type::v3::MINUTE);
  descriptor->mutable_limit()->mutable_unit_multiplier()->set_value(5);
  request.add_descriptors()->mutable_limit()->set_unit(envoy::type::v3::HOUR);
  request.add_descriptors()->mutable_hits_addend()->set_value(0);
  JsonRequest json;
  const absl::Status read = json.Read(JsonOf(request));
  ASSERT_TRUE(read.ok()) << read;
  const Query& query = json.query();
  EXPECT_EQ(query.domain, "d");
  EXPECT_EQ(query.hits, 7u);
  ASSERT_EQ(query.descriptors.size(), 3u);
  const Descriptor& first = query.descriptors[0];
  EXPECT_EQ(first.entries.at(0).key, "k");
  EXPECT_EQ(first.entries.at(0).value, "v");
  EXPECT_EQ(first.hits, UINT64_MAX);
  EXPECT_TRUE(first.is_negative_hits);
  EXPECT_EQ(first.limit_override->limit, 9);
  EXPECT_EQ(first.limit_override->window, absl::Minutes(5));
  EXPECT_EQ(query.descriptors[1].limit_override->window, absl::Hours(1));
  EXPECT_FALSE(query.descriptors[1].hits.has_value());
  EXPECT_EQ(query.descriptors[2].hits, 0u);
  EXPECT_FALSE(query.descriptors[2].limit_override.has_value());
}

// JSON and protobuf have the same limits and the same error texts.
TEST(JsonRequestTest, FailsAsTheSerializedRequestDoes) {
  std::vector<RateLimitRequest> requests(1);
  const auto add = [&requests]() -> RateLimitRequest& {
    return requests.emplace_back(OneDescriptor());
  };
  add().clear_domain();
  add().clear_descriptors();
  add().set_domain(std::string(kMaxDomainBytes + 1, 'd'));
  add().mutable_descriptors(0)->mutable_entries(0)->set_key(
      std::string(kMaxKeyBytes + 1, 'k'));
  add().mutable_descriptors(0)->mutable_entries(0)->set_value(
      std::string(kMaxValueBytes + 1, 'v'));
  for (const int unit : {0, 8, -1}) {
    add().mutable_descriptors(0)->mutable_limit()->set_unit(
        static_cast<envoy::type::v3::RateLimitUnit>(unit));
  }
  auto* limit = add().mutable_descriptors(0)->mutable_limit();
  limit->set_unit(envoy::type::v3::YEAR);
  limit->mutable_unit_multiplier()->set_value(2);
  RateLimitRequest& entries = add();
  for (int i = 0; i < kMaxEntries; ++i) {
    entries.mutable_descriptors(0)->add_entries()->set_key("k");
  }
  RateLimitRequest& descriptors = add();
  for (int i = 0; i < kMaxDescriptors; ++i) descriptors.add_descriptors();
  // The first of two problems is shown.
  RateLimitRequest& twice = add();
  twice.mutable_descriptors(0)->mutable_limit()->set_requests_per_unit(1);
  twice.add_descriptors()->add_entries()->set_key(
      std::string(kMaxKeyBytes + 1, 'k'));
  for (const RateLimitRequest& request : requests) {
    JsonRequest json;
    Query query;
    const std::string bytes = request.SerializeAsString();
    const absl::Status expected = ReadQuery(bytes, query);
    EXPECT_FALSE(expected.ok());
    EXPECT_EQ(json.Read(JsonOf(request)), expected);
  }
}

TEST(JsonResponseTest, LeavesOutDefaults) {
  const Policy policy{.limit = 5, .window = absl::Minutes(5)};
  Verdict verdict;
  verdict.over_limit = true;
  verdict.statuses.push_back(
      {.over_limit = true, .policy = &policy, .reset = absl::Seconds(7)});
  verdict.statuses.emplace_back();
  JsonResponse response;
  response.Set({}, verdict);
  EXPECT_EQ(
      *response.Text(),
      R"({"overallCode":"OVER_LIMIT","statuses":[{"code":"OVER_LIMIT",)"
      R"("currentLimit":{"requestsPerUnit":5,"unit":"MINUTE",)"
      R"("unitMultiplier":5},"durationUntilReset":"7s"},{"code":"OK"}]})");
}

TEST(JsonResponseTest, HasEveryFieldOfTheSerializedResponse) {
  const Policy policy{.limit = 5, .window = absl::Seconds(90)};
  const Policy large{.calendar = Calendar::kMonth, .limit = int64_t{1} << 40};
  CompiledRule rule;
  rule.name = "the name";
  rule.path = "tier free";
  rule.tier = "free";
  rule.message = "Say \"please\" <now>\n";
  const DegradeRule degrade;
  const AnswerSettings settings{.headers = true, .dynamic_metadata = true};
  for (const bool over_limit : {false, true}) {
    for (const bool is_degraded : {false, true}) {
      Verdict verdict;
      verdict.over_limit = over_limit;
      verdict.statuses.push_back({.over_limit = over_limit,
                                  .policy = &policy,
                                  .rule = &rule,
                                  .remaining = 3,
                                  .reset = absl::Milliseconds(1500)});
      verdict.statuses.push_back({.policy = &large,
                                  .remaining = int64_t{1} << 40,
                                  .reset = absl::Hours(24 * 31)});
      verdict.statuses.push_back({.unlimited = true});
      verdict.statuses.emplace_back();
      verdict.leading = &verdict.statuses[0];
      if (is_degraded) {
        verdict.degraded = &degrade;
        verdict.model = "small";
      }
      std::string bytes;
      WriteVerdict(settings, verdict, bytes);
      RateLimitResponse serialized;
      ASSERT_TRUE(serialized.ParseFromString(bytes));
      JsonResponse response;
      response.Set(settings, verdict);
      RateLimitResponse from_json;
      ASSERT_TRUE(JsonStringToMessage(*response.Text(), &from_json).ok());
      EXPECT_TRUE(MessageDifferencer::Equals(from_json, serialized))
          << *response.Text();
      EXPECT_EQ(from_json.raw_body().empty(), !over_limit);
    }
  }
}

}  // namespace
}  // namespace rls
