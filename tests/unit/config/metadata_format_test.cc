#include "config/metadata_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kStart[] =
    "domain: d\ndescriptors:\n- key: a\n"
    "  rate_limit: {unit: hour, requests_per_unit: 1}\n";

// A value as text that shows its type.
std::string Text(const MetadataValue& value) {
  if (const auto* truth = std::get_if<bool>(&value.value)) {
    return *truth ? "true" : "false";
  }
  if (const auto* number = std::get_if<double>(&value.value)) {
    return absl::StrCat(*number);
  }
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    return absl::StrCat("'", *text, "'");
  }
  std::string all;
  if (const auto* list = std::get_if<MetadataValue::List>(&value.value)) {
    for (const MetadataValue& item : *list)
      absl::StrAppend(&all, Text(item), " ");
    return absl::StrCat("[", all, "]");
  }
  if (const auto* map = std::get_if<Metadata>(&value.value)) {
    for (const auto& [key, item] : *map) {
      absl::StrAppend(&all, key, "=", Text(item), " ");
    }
    return absl::StrCat("{", all, "}");
  }
  return "null";
}

// The metadata of the only descriptor.
std::string LoadedMetadata(const std::string& yaml) {
  const DomainSpec spec = MustLoad(absl::StrCat(kStart, "  metadata: ", yaml));
  if (spec.nodes.empty() || spec.nodes[0].rule->metadata == nullptr) return "";
  return Text(MetadataValue{*spec.nodes[0].rule->metadata});
}

TEST(MetadataFormatTest, TextsWithoutQuotesHaveTheTypesOfYaml) {
  const std::pair<const char*, const char*> cases[] = {
      {"text", "'text'"},
      {"\"7\"", "'7'"},
      {"'true'", "'true'"},
      {"7", "7"},
      {"-0x10", "-16"},
      {"010", "8"},
      {"1_000", "1000"},
      {"1.5", "1.5"},
      {"-2e3", "-2000"},
      {".5", "0.5"},
      {"yes", "true"},
      {"Off", "false"},
      {"y", "true"},
      {"~", "null"},
      {"null", "null"},
      {"", "null"},
      {"\"\"", "''"},
      {"1.2.3", "'1.2.3'"},
      {"nan", "'nan'"},
      {"-", "[null ]"},
      {"[1, a]", "[1 'a' ]"},
      {"{b: {c: 1}}", "{b={c=1 } }"},
      {"2020-01-02", "'2020-01-02'"},
  };
  for (const auto& [yaml, expected] : cases) {
    const bool is_block = std::string(yaml) == "-";
    EXPECT_EQ(LoadedMetadata(absl::StrCat("\n    k:", is_block ? "\n    " : " ",
                                          yaml, "\n")),
              absl::StrCat("{k=", expected, " }"))
        << yaml;
  }
}

TEST(MetadataFormatTest, KeysAreTextsAndAnchorsMerge) {
  EXPECT_EQ(LoadedMetadata("{no: 1, 2: b, domain: x, a: 1, a: 2}\n"),
            "{2='b' a=2 domain='x' no=1 }");
  EXPECT_EQ(LoadedMetadata("\n    x: &x {p: 1, q: 2}\n    y: {<<: *x, q: 3}\n"),
            "{x={p=1 q=2 } y={p=1 q=3 } }");
  EXPECT_EQ(LoadedMetadata("{}\n"), "");
}

TEST(MetadataFormatTest, RefusesWhatIsNoMap) {
  const std::string metadata = absl::StrCat(kStart, "  metadata: ");
  EXPECT_THAT(ErrorsOf(metadata + "[a]\n"),
              HasSubstr("f.yaml:5: metadata: found a list, expected a map"));
  EXPECT_THAT(ErrorsOf(metadata + "{[a]: b}\n"),
              HasSubstr("a key of metadata: found a list, expected text"));
  const auto nested = [&](int depth) {
    return ErrorsOf(absl::StrCat(metadata, "{k: ", std::string(depth - 1, '['),
                                 std::string(depth - 1, ']'), "}\n"));
  };
  EXPECT_EQ(nested(kMaxMetadataDepth), "");
  EXPECT_THAT(nested(kMaxMetadataDepth + 1), HasSubstr("nested deeper than"));
}

TEST(DescriptorNetworkTest, ADescriptorMayHavePrefixes) {
  const auto with = [](const std::string& keys) {
    return absl::StrCat("domain: d\ndescriptors:\n- {key: a, ", keys, "}\n");
  };
  const DomainSpec spec = MustLoad(with("ipv4_prefix: 24"));
  ASSERT_TRUE(spec.nodes.at(0).networks.has_value());
  EXPECT_EQ(spec.nodes[0].networks->ipv4, 24);
  EXPECT_EQ(spec.nodes[0].networks->ipv6, 64);
  EXPECT_EQ(
      MustLoad(with("value: 10.*, ipv6_prefix: 48")).nodes.at(0).networks->ipv6,
      48);
  EXPECT_FALSE(MustLoad(with("value: b")).nodes.at(0).networks.has_value());
  EXPECT_THAT(ErrorsOf(with("ipv4_prefix: 33")), HasSubstr("from 0 to 32"));
  EXPECT_THAT(ErrorsOf(with("ipv6_prefix: -1")), HasSubstr("from 0 to 128"));
  EXPECT_THAT(ErrorsOf(with("value: b, ipv4_prefix: 24")),
              HasSubstr("ipv4_prefix needs a key without value"));
  EXPECT_THAT(ErrorsOf(with("value: b*, share_threshold: true, "
                            "ipv4_prefix: 24")),
              HasSubstr("cannot be combined with share_threshold"));
}

}  // namespace
}  // namespace rls
