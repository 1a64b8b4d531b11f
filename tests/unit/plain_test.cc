#include "rpc/plain.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;

TEST(PlainTest, WritesARequestThatTheGeneratedClassReads) {
  const std::string bytes =
      WriteRequest("d", {{{"a", "1"}, {"b", ""}}, {}, {{"c", "3"}}});
  RateLimitRequest request;
  ASSERT_TRUE(request.ParseFromString(bytes));
  EXPECT_EQ(request.domain(), "d");
  ASSERT_EQ(request.descriptors_size(), 3);
  ASSERT_EQ(request.descriptors(0).entries_size(), 2);
  EXPECT_EQ(request.descriptors(0).entries(0).key(), "a");
  EXPECT_EQ(request.descriptors(0).entries(0).value(), "1");
  EXPECT_EQ(request.descriptors(0).entries(1).key(), "b");
  EXPECT_EQ(request.descriptors(1).entries_size(), 0);
  EXPECT_EQ(request.descriptors(2).entries(0).value(), "3");
}

TEST(PlainTest, ReadsBothKindsOfHeadersAndTheBody) {
  RateLimitResponse response;
  auto& shown = *response.add_response_headers_to_add();
  shown.set_key("RateLimit-Limit");
  shown.set_value("5");
  auto& sent = *response.add_request_headers_to_add();
  sent.set_key("x-model");
  sent.set_value("small");
  response.set_raw_body("{}");
  const auto answer = ReadAnswer(response.SerializeAsString());
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->response_headers.size(), 1u);
  EXPECT_EQ(answer->response_headers[0].name, "RateLimit-Limit");
  EXPECT_EQ(answer->response_headers[0].value, "5");
  ASSERT_EQ(answer->request_headers.size(), 1u);
  EXPECT_EQ(answer->request_headers[0].value, "small");
  EXPECT_EQ(answer->body, "{}");
}

TEST(PlainTest, RefusesWhatIsNoAnswer) {
  EXPECT_TRUE(absl::IsInternal(ReadAnswer("\xff\xff").status()));
}

}  // namespace
}  // namespace rls
