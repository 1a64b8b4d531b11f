#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>

#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {
namespace {

using google::protobuf::DescriptorPool;

const DescriptorPool& Pool() {
  // Makes the linker keep the generated files.
  (void)envoy::service::ratelimit::v3::RateLimitRequest::descriptor();
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  // A pool finds an enum value by name only after it has loaded the enum.
  (void)pool.FindEnumTypeByName("envoy.type.v3.RateLimitUnit");
  return pool;
}

struct Field {
  const char* name;
  int number;
  const char* type;
};

// Source: the files that Envoy publishes, api/envoy/..., of version 1.40. The
// table may leave out published fields, but its entries must never change.
TEST(WireTest, FieldsHaveThePublishedNamesNumbersAndTypes) {
  constexpr Field kFields[] = {
      {"service.ratelimit.v3.RateLimitRequest.domain", 1, "string"},
      {"service.ratelimit.v3.RateLimitRequest.descriptors", 2, "message"},
      {"service.ratelimit.v3.RateLimitRequest.hits_addend", 3, "uint32"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.entries", 1,
       "message"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.limit", 2,
       "message"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.hits_addend", 3,
       "message"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.is_negative_hits", 4,
       "bool"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.Entry.key", 1,
       "string"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.Entry.value", 2,
       "string"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.RateLimitOverride."
       "requests_per_unit",
       1, "uint32"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.RateLimitOverride."
       "unit",
       2, "enum"},
      {"extensions.common.ratelimit.v3.RateLimitDescriptor.RateLimitOverride."
       "unit_multiplier",
       3, "message"},
      {"service.ratelimit.v3.RateLimitResponse.overall_code", 1, "enum"},
      {"service.ratelimit.v3.RateLimitResponse.statuses", 2, "message"},
      {"service.ratelimit.v3.RateLimitResponse.response_headers_to_add", 3,
       "message"},
      {"service.ratelimit.v3.RateLimitResponse.request_headers_to_add", 4,
       "message"},
      {"service.ratelimit.v3.RateLimitResponse.raw_body", 5, "bytes"},
      {"service.ratelimit.v3.RateLimitResponse.dynamic_metadata", 6, "message"},
      {"service.ratelimit.v3.RateLimitResponse.quota", 7, "message"},
      {"service.ratelimit.v3.RateLimitResponse.DescriptorStatus.code", 1,
       "enum"},
      {"service.ratelimit.v3.RateLimitResponse.DescriptorStatus.current_limit",
       2, "message"},
      {"service.ratelimit.v3.RateLimitResponse.DescriptorStatus."
       "limit_remaining",
       3, "uint32"},
      {"service.ratelimit.v3.RateLimitResponse.DescriptorStatus."
       "duration_until_reset",
       4, "message"},
      {"service.ratelimit.v3.RateLimitResponse.DescriptorStatus.quota", 5,
       "message"},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.requests_per_unit", 1,
       "uint32"},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.unit", 2, "enum"},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.name", 3, "string"},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.unit_multiplier", 4,
       "message"},
      {"config.core.v3.HeaderValue.key", 1, "string"},
      {"config.core.v3.HeaderValue.value", 2, "string"},
  };
  for (const Field& expected : kFields) {
    const auto* field =
        Pool().FindFieldByName(std::string("envoy.") + expected.name);
    ASSERT_NE(field, nullptr) << expected.name;
    EXPECT_EQ(field->number(), expected.number) << expected.name;
    EXPECT_STREQ(field->type_name(), expected.type) << expected.name;
  }
}

TEST(WireTest, UnitsAndCodesHaveThePublishedNumbers) {
  struct Value {
    const char* name;
    int number;
  };
  constexpr Value kValues[] = {
      {"service.ratelimit.v3.RateLimitResponse.UNKNOWN", 0},
      {"service.ratelimit.v3.RateLimitResponse.OK", 1},
      {"service.ratelimit.v3.RateLimitResponse.OVER_LIMIT", 2},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.SECOND", 1},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.MINUTE", 2},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.HOUR", 3},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.DAY", 4},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.MONTH", 5},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.YEAR", 6},
      {"service.ratelimit.v3.RateLimitResponse.RateLimit.WEEK", 7},
      {"type.v3.SECOND", 1},
      {"type.v3.MINUTE", 2},
      {"type.v3.HOUR", 3},
      {"type.v3.DAY", 4},
      {"type.v3.MONTH", 5},
      {"type.v3.YEAR", 6},
  };
  for (const Value& expected : kValues) {
    const auto* value =
        Pool().FindEnumValueByName(std::string("envoy.") + expected.name);
    ASSERT_NE(value, nullptr) << expected.name;
    EXPECT_EQ(value->number(), expected.number) << expected.name;
  }
}

}  // namespace
}  // namespace rls
