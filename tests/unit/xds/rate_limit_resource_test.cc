#include "xds/rate_limit_resource.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/load.h"
#include "ratelimit/config/ratelimit/v3/rls_conf.pb.h"

namespace rls {
namespace {

using ratelimit::config::ratelimit::v3::RateLimitConfig;
using ratelimit::config::ratelimit::v3::RateLimitDescriptor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

RateLimitResource Read(const std::string& text) {
  RateLimitConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config));
  return ReadRateLimitResource(config.SerializeAsString());
}

// A resource with this descriptor.
RateLimitResource ReadDescriptor(const std::string& text) {
  return Read(absl::StrCat("name: 'r' domain: 'd' descriptors {", text, "}"));
}

TEST(RateLimitResourceTest, ReadsTheShapeOfEnvoyGateway) {
  const RateLimitResource resource = Read(R"(
    name: "default/eg/http" domain: "default/eg/http"
    descriptors {
      key: "route/1/*_example_com" value: "route/1/*_example_com"
      shadow_mode: true
      descriptors {
        key: "rule-0-match--1" value: "rule-0-match--1" quota_mode: true
        detailed_metric: true
        rate_limit { unit: HOUR requests_per_unit: 0 name: "n"
                     replaces { name: "other" } }
      }
    })");
  EXPECT_THAT(resource.errors, IsEmpty());
  EXPECT_EQ(resource.name, "default/eg/http");
  EXPECT_EQ(resource.domain_name, "default/eg/http");
  ASSERT_TRUE(resource.domain.has_value());
  EXPECT_EQ(resource.domain->name, "default/eg/http");
  EXPECT_EQ(resource.domain->accounting, std::nullopt);
  ASSERT_THAT(resource.domain->nodes, SizeIs(1));
  const RuleNode& route = resource.domain->nodes[0];
  EXPECT_EQ(route.value, "route/1/*_example_com");
  EXPECT_FALSE(route.rule.has_value());
  EXPECT_FALSE(route.share);
  ASSERT_THAT(route.children, SizeIs(1));
  EXPECT_FALSE(route.detailed_metric);
  EXPECT_TRUE(route.children[0].detailed_metric);
  ASSERT_TRUE(route.children[0].rule.has_value());
  const Rule& rule = *route.children[0].rule;
  EXPECT_EQ(rule.path,
            "route/1/*_example_com_route/1/*_example_com."
            "rule-0-match--1_rule-0-match--1");
  EXPECT_EQ(rule.policy.limit, 0);
  EXPECT_EQ(rule.policy.window, absl::Hours(1));
  EXPECT_EQ(rule.policy.algorithm, Algorithm::kFixedWindow);
  EXPECT_EQ(rule.name, "n");
  EXPECT_THAT(rule.replaces, ElementsAre("other"));
  EXPECT_FALSE(rule.shadow);
  EXPECT_TRUE(rule.quota);
  EXPECT_EQ(rule.stated_hits, StatedHits::kCharge);
  EXPECT_EQ(rule.on_backend_error, OnBackendError::kError);
}

TEST(RateLimitResourceTest, ReadsMetadataOfEachType) {
  const RateLimitResource resource = ReadDescriptor(R"(
    key: "k" rate_limit { unit: HOUR }
    metadata {
      fields { key: "text" value { string_value: "a" } }
      fields { key: "number" value { number_value: 1.5 } }
      fields { key: "truth" value { bool_value: true } }
      fields { key: "none" value { null_value: NULL_VALUE } }
      fields { key: "list" value { list_value {
        values { number_value: 1 } } } }
      fields { key: "map" value { struct_value {
        fields { key: "in" value { string_value: "b" } } } } }
    })");
  ASSERT_THAT(resource.errors, IsEmpty());
  const auto metadata = resource.domain->nodes[0].rule->metadata;
  ASSERT_NE(metadata, nullptr);
  EXPECT_EQ(std::get<std::string>(metadata->at("text").value), "a");
  EXPECT_EQ(std::get<double>(metadata->at("number").value), 1.5);
  EXPECT_TRUE(std::get<bool>(metadata->at("truth").value));
  EXPECT_TRUE(
      std::holds_alternative<std::monostate>(metadata->at("none").value));
  EXPECT_THAT(std::get<MetadataValue::List>(metadata->at("list").value),
              SizeIs(1));
  EXPECT_EQ(std::get<std::string>(
                std::get<Metadata>(metadata->at("map").value).at("in").value),
            "b");
}

TEST(RateLimitResourceTest, RefusesMetadataThatIsNestedTooDeep) {
  const auto nested = [](int depth) {
    std::string text = "null_value: NULL_VALUE";
    for (int i = 1; i < depth; ++i) {
      text = absl::StrCat("list_value { values { ", text, " } }");
    }
    return ReadDescriptor(absl::StrCat(
        "key: 'k' rate_limit { unit: HOUR } metadata { fields { key: 'a' ",
        "value { ", text, " } } }"));
  };
  EXPECT_THAT(nested(kMaxMetadataDepth).errors, IsEmpty());
  EXPECT_THAT(nested(kMaxMetadataDepth + 1).errors,
              ElementsAre(HasSubstr("nested deeper than 16 levels")));
}

// The same rules in both formats give the same plain data.
TEST(RateLimitResourceTest, ReadsEachUnitAsFilesDo) {
  for (const char* unit :
       {"SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"}) {
    const RateLimitResource resource = ReadDescriptor(absl::StrCat(
        "key: 'k' rate_limit {requests_per_unit: 4294967295 unit: ", unit,
        "}"));
    const LoadedFile file = LoadConfig(
        absl::StrCat("domain: d\ndescriptors:\n"
                     "  - {key: k, rate_limit: {requests_per_unit: 4294967295, "
                     "unit: ",
                     unit, "}}\n"),
        "file", ProcessEnvironment);
    ASSERT_TRUE(resource.domain.has_value()) << unit;
    ASSERT_TRUE(file.domain.has_value()) << unit;
    const Rule& from_xds = *resource.domain->nodes[0].rule;
    const Rule& from_file = *file.domain->nodes[0].rule;
    EXPECT_EQ(from_xds.policy.window, from_file.policy.window) << unit;
    EXPECT_EQ(from_xds.policy.limit, from_file.policy.limit) << unit;
    EXPECT_EQ(from_xds.path, from_file.path);
    EXPECT_EQ(from_xds.stated_hits, from_file.stated_hits);
    EXPECT_EQ(from_xds.on_backend_error, from_file.on_backend_error);
  }
}

TEST(RateLimitResourceTest, UnlimitedNeedsNoUnit) {
  const RateLimitResource resource =
      ReadDescriptor("key: 'k' rate_limit {unlimited: true}");
  ASSERT_TRUE(resource.domain.has_value());
  EXPECT_TRUE(resource.domain->nodes[0].rule->unlimited);
  EXPECT_THAT(
      ReadDescriptor("key: 'k' rate_limit {unlimited: true unit: DAY}").errors,
      ElementsAre("descriptor \"k\": unit cannot be combined with unlimited"));
}

TEST(RateLimitResourceTest, NoDescriptorsAreValid) {
  EXPECT_TRUE(Read("domain: 'd'").domain.has_value());
}

TEST(RateLimitResourceTest, NamesEachErrorWithItsPath) {
  EXPECT_THAT(Read("name: 'r'").errors,
              ElementsAre(HasSubstr("domain: found \"\", expected a name")));
  EXPECT_THAT(
      Read("name: 'r' domain: 'a\\nb'").errors,
      ElementsAre(HasSubstr("domain: found \"a\\x0ab\", expected a name")));
  EXPECT_THAT(ReadDescriptor("key: 'a' descriptors {value: 'b'}").errors,
              ElementsAre(HasSubstr("descriptor \"a.[0]\": key: found \"\"")));
  EXPECT_THAT(
      ReadDescriptor("key: 'a' value: 'b' rate_limit {requests_per_unit: 1}")
          .errors,
      ElementsAre("descriptor \"a_b\": unit: found UNKNOWN, expected SECOND, "
                  "MINUTE, HOUR, DAY, WEEK, MONTH or YEAR"));
  EXPECT_THAT(ReadDescriptor("key: 'a' rate_limit {unit: DAY name: 'x' "
                             "replaces {name: 'x'} replaces {}}")
                  .errors,
              ElementsAre(HasSubstr("\"x\" cannot replace itself"),
                          HasSubstr("replaces.name: found \"\"")));
  EXPECT_THAT(
      ReadDescriptor("key: 'a' rate_limit {unit: DAY name: '\\n'}").errors,
      ElementsAre(HasSubstr("rate_limit.name: found \"\\x0a\"")));
  EXPECT_THAT(
      ReadDescriptor("key: 'a' value: 'b'} descriptors {key: 'a' value: 'b'")
          .errors,
      ElementsAre("descriptor \"a_b\": a descriptor with key \"a\" and value "
                  "\"b\" is already on this level"));
}

// Proto3 passes numbers of enumerators that this version does not know.
TEST(RateLimitResourceTest, AnUnknownUnitIsNamedByItsNumber) {
  RateLimitConfig config;
  config.set_domain("d");
  auto& descriptor = *config.add_descriptors();
  descriptor.set_key("k");
  descriptor.mutable_rate_limit()->set_unit(
      static_cast<ratelimit::config::ratelimit::v3::RateLimitUnit>(99));
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              ElementsAre(HasSubstr("unit: found 99, expected")));
}

TEST(RateLimitResourceTest, OnlySomeErrorsAreKept) {
  RateLimitConfig config;
  config.set_domain("d");
  for (size_t i = 0; i < kMaxResourceErrors + 5; ++i) config.add_descriptors();
  const auto errors = ReadRateLimitResource(config.SerializeAsString()).errors;
  ASSERT_THAT(errors, SizeIs(kMaxResourceErrors + 1));
  EXPECT_EQ(errors.back(), "and 5 more errors");
}

RateLimitConfig Nested(int depth) {
  RateLimitConfig config;
  config.set_name("deep");
  config.set_domain("d");
  RateLimitDescriptor* descriptor = config.add_descriptors();
  descriptor->set_key("k");
  for (int i = 1; i < depth; ++i) {
    descriptor = descriptor->add_descriptors();
    descriptor->set_key("k");
  }
  return config;
}

TEST(RateLimitResourceTest, TheDepthIsBounded) {
  EXPECT_THAT(
      ReadRateLimitResource(Nested(kMaxRuleDepth).SerializeAsString()).errors,
      IsEmpty());
  EXPECT_THAT(
      ReadRateLimitResource(Nested(kMaxRuleDepth + 1).SerializeAsString())
          .errors,
      ElementsAre(HasSubstr(
          absl::StrCat("are nested deeper than ", kMaxRuleDepth, " levels"))));
}

// A message that is nested this deep would use up the stack.
TEST(RateLimitResourceTest, TheDepthOfTheMessageIsBounded) {
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) {
    std::string size;
    for (size_t left = bytes.size();; left >>= 7) {
      size.push_back(
          static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
      if (left <= 0x7f) break;
    }
    bytes = absl::StrCat("\x22", size, bytes);  // RateLimitDescriptor 4
  }
  bytes[0] = '\x1a';  // RateLimitConfig 3
  EXPECT_THAT(ReadRateLimitResource(bytes).errors,
              ElementsAre("not a valid RateLimitConfig message"));
}

TEST(RateLimitResourceTest, TheSizeOfEachTextIsBounded) {
  const std::string most(kMaxResourceTextBytes, 'x');
  const std::string larger = most + "x";
  RateLimitConfig config = Nested(1);
  RateLimitDescriptor& descriptor = *config.mutable_descriptors(0);
  descriptor.set_value(most);
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              IsEmpty());
  descriptor.set_value(larger);
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              ElementsAre(HasSubstr("value: found 65537 bytes, expected at "
                                    "most 65536")));
  descriptor.clear_value();
  descriptor.set_key(larger);
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              ElementsAre(HasSubstr("key: found 65537 bytes")));
  config = Nested(1);
  config.set_domain(larger);
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              ElementsAre(HasSubstr("domain: found 65537 bytes")));
}

// Each limit repeats the text of its parent in its path.
TEST(RateLimitResourceTest, TheSizeOfAllPathsIsBounded) {
  RateLimitConfig config = Nested(1);
  RateLimitDescriptor& parent = *config.mutable_descriptors(0);
  parent.set_value(std::string(kMaxResourceTextBytes, 'x'));
  const auto add = [&] {
    auto& child = *parent.add_descriptors();
    child.set_key(absl::StrCat(parent.descriptors_size()));
    child.mutable_rate_limit()->set_unit(ratelimit::config::ratelimit::v3::DAY);
  };
  constexpr size_t kFitting =
      kMaxResourcePathBytes / (kMaxResourceTextBytes + 10);
  for (size_t i = 0; i < kFitting; ++i) add();
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              IsEmpty());
  for (int i = 0; i < 10; ++i) add();
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              ElementsAre(HasSubstr("the paths of all limits have more than")));
}

TEST(RateLimitResourceTest, TheNumberOfDescriptorsIsBounded) {
  RateLimitConfig config;
  config.set_domain("d");
  for (size_t i = 0; i < kMaxRules; ++i) {
    config.add_descriptors()->set_key(absl::StrCat(i));
  }
  EXPECT_THAT(ReadRateLimitResource(config.SerializeAsString()).errors,
              IsEmpty());
  config.add_descriptors()->set_key("last");
  EXPECT_THAT(
      ReadRateLimitResource(config.SerializeAsString()).errors,
      ElementsAre(absl::StrCat("more than ", kMaxRules, " descriptors")));
}

TEST(RateLimitResourceTest, SecretsAreNotShown) {
  const RateLimitResource resource =
      ReadDescriptor("key: 'api_key' value: 'hunter2' rate_limit {unit: DAY}");
  ASSERT_TRUE(resource.domain.has_value());
  EXPECT_EQ(resource.domain->nodes[0].value, "hunter2");
  EXPECT_EQ(resource.domain->nodes[0].rule->path,
            "api_key_sha256:f52fbd32b2b3");
  for (const std::string& error :
       ReadDescriptor("key: 'api_key' value: 'hunter2' rate_limit {}} "
                      "descriptors {key: 'api_key' value: 'hunter2'")
           .errors) {
    EXPECT_THAT(error, Not(HasSubstr("hunter2")));
  }
}

TEST(RateLimitResourceTest, BrokenBytesStillTellTheName) {
  std::string bytes = Nested(1).SerializeAsString();
  bytes += "\x1a\x7f";  // a descriptor of 127 bytes that are missing
  const RateLimitResource resource = ReadRateLimitResource(bytes);
  EXPECT_EQ(resource.name, "deep");
  EXPECT_THAT(resource.errors,
              ElementsAre("not a valid RateLimitConfig message"));
  EXPECT_EQ(ReadRateLimitResource("\xff").name, "");
}

}  // namespace
}  // namespace rls
