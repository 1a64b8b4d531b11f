#include "rpc/dynamic_metadata.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "limiter/query.h"
#include "rpc/write_verdict.h"
#include "rules/secret_keys.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;
using google::protobuf::Struct;
using google::protobuf::util::MessageDifferencer;

class DynamicMetadataTest : public ::testing::Test {
 protected:
  DynamicMetadataTest() {
    query_.domain = "d";
    verdict_.query = &query_;
  }

  LimitStatus& Add(const Descriptor& descriptor) {
    query_.descriptors.push_back(descriptor);
    return verdict_.statuses.emplace_back();
  }
  static Descriptor Of(absl::string_view key, absl::string_view value) {
    Descriptor descriptor;
    descriptor.entries.push_back({key, value});
    return descriptor;
  }
  CompiledRule& RuleWith(Metadata metadata) {
    CompiledRule& rule = *rules_.emplace_back(std::make_unique<CompiledRule>());
    rule.metadata = std::make_shared<const Metadata>(std::move(metadata));
    return rule;
  }

  Struct Made() {
    Struct out;
    AddRequestMetadata(verdict_, out);
    return out;
  }
  // The fields of a map have no order, so texts cannot be compared.
  static void ExpectJson(const Struct& found, const std::string& json) {
    Struct expected;
    ASSERT_TRUE(
        google::protobuf::util::JsonStringToMessage(json, &expected).ok());
    EXPECT_TRUE(MessageDifferencer::Equals(found, expected))
        << found.ShortDebugString();
  }

  Query query_;
  Verdict verdict_;
  std::vector<std::unique_ptr<CompiledRule>> rules_;
};

TEST_F(DynamicMetadataTest, HasTheFieldsOfTheRequest) {
  query_.hits = 7;
  Descriptor second = Of("b", "");
  second.entries.push_back({"c", "3"});
  second.hits = 0;
  second.limit_override = Policy{.limit = 5, .window = absl::Hours(1)};
  Add(Of("a", "1"));
  Add(second);
  Add({});
  ExpectJson(Made(), R"({"domain": "d", "hitsAddend": 7, "descriptors": [
      {"entries": ["a=1"]},
      {"entries": ["b=", "c=3"], "hitsAddend": 0,
       "limit": "requests_per_unit:5 unit:HOUR"},
      {"entries": []}]})");
}

TEST_F(DynamicMetadataTest, OverridesAreShownAsProtobufText) {
  EXPECT_EQ(OverrideText({.limit = 0, .window = absl::Hours(24 * 7)}),
            "unit:WEEK");
  EXPECT_EQ(OverrideText({.limit = 9, .window = absl::Minutes(5)}),
            "requests_per_unit:9 unit:MINUTE unit_multiplier:{value:5}");
}

TEST_F(DynamicMetadataTest, SecretsAreHashedAndBytesAreEscaped) {
  Add(Of("api_key", "sk-1"));
  Add(Of("plain", "sk-2")).secret = true;  // marked in the configuration
  Add(Of("bytes", "\xff"));
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(Made(), &json).ok());
  EXPECT_EQ(json.find("sk-"), json.npos) << json;
  EXPECT_NE(json.find("api_key=" + ShownSecret("sk-1")), json.npos) << json;
  EXPECT_NE(json.find("plain=" + ShownSecret("sk-2")), json.npos) << json;
  EXPECT_NE(json.find(R"(bytes=\\xff)"), json.npos) << json;
}

TEST_F(DynamicMetadataTest, MergesTheMetadataOfRulesThatDoNotRefuse) {
  Add(Of("a", "1")).rule = &RuleWith({{"map", {Metadata{{"x", {1.0}}}}},
                                      {"list", {MetadataValue::List{}}},
                                      {"plain", {std::string("first")}}});
  Add(Of("b", "1")).rule =
      &RuleWith({{"map", {Metadata{{"x", {2.0}}, {"y", {true}}}}},
                 {"list", {MetadataValue::List{{1.0}}}},
                 {"plain", {Metadata{}}},
                 {"none", {}}});
  LimitStatus& over = Add(Of("c", "1"));
  over.over_limit = true;
  over.rule = &RuleWith({{"over", {true}}});
  LimitStatus& unlimited = Add(Of("d", "1"));
  unlimited.unlimited = true;
  unlimited.rule = &RuleWith({{"unlimited", {true}}});
  Add(Of("e", "1"));
  ExpectJson(Made().fields().at("metadata").struct_value(),
             R"({"list": [], "map": {"x": 1, "y": true}, "none": null,
                 "plain": "first"})");
}

TEST_F(DynamicMetadataTest, WithoutMetadataOfRulesThereIsNoSuchField) {
  Add(Of("a", "1")).rule =
      rules_.emplace_back(std::make_unique<CompiledRule>()).get();
  EXPECT_EQ(Made().fields().count("metadata"), 0u);
}

TEST_F(DynamicMetadataTest, IsInTheAnswerOnlyIfItIsSwitchedOn) {
  Add(Of("a", "1"));
  for (const bool is_on : {false, true}) {
    std::string bytes;
    WriteVerdict({.dynamic_metadata = is_on}, verdict_, bytes);
    RateLimitResponse response;
    ASSERT_TRUE(response.ParseFromString(bytes));
    EXPECT_EQ(response.has_dynamic_metadata(), is_on);
    EXPECT_EQ(response.dynamic_metadata().fields().count("domain"), is_on);
  }
}

}  // namespace
}  // namespace rls
