#include "rpc/json.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;

TEST(JsonTest, ReadsBothSpellingsOfNames) {
  for (const char* name : {"hitsAddend", "hits_addend"}) {
    const auto bytes = RequestFromJson(std::string("{\"domain\": \"d\", \"") +
                                       name + "\": \"7\"}");
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    RateLimitRequest request;
    ASSERT_TRUE(request.ParseFromString(*bytes));
    EXPECT_EQ(request.domain(), "d");
    EXPECT_EQ(request.hits_addend(), 7u);
  }
}

TEST(JsonTest, RefusesWhatIsNoRequest) {
  for (const char* json : {"", "x", "[]", "{\"domian\": \"d\"}",
                           "{\"domain\": {}}", "{\"hitsAddend\": -1}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(RequestFromJson(json).status()))
        << json;
  }
}

TEST(JsonTest, WritesAnswersWithoutDefaults) {
  RateLimitResponse response;
  response.set_overall_code(RateLimitResponse::OVER_LIMIT);
  response.add_statuses()->set_limit_remaining(3);
  EXPECT_EQ(*ResponseToJson(response.SerializeAsString()),
            "{\"overallCode\":\"OVER_LIMIT\",\"statuses\":"
            "[{\"limitRemaining\":3}]}");
}

}  // namespace
}  // namespace rls
