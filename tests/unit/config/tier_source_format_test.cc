#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTop[] = "rate_limit:\n  default_rps: 10\n";

class TierSourceFormatTest : public ::testing::Test {
 protected:
  TierSourceFormatTest() {
    Variables() = {{"TOKEN", "s3cret"}, {"EVIL", "s3cret\r\nX: y"}};
  }
};

TierSourceSpec MustLoadSource(const std::string& yaml) {
  LoadedFile file = Load(yaml);
  EXPECT_EQ(ErrorsOf(yaml), "") << yaml;
  if (!file.domain.has_value() || !file.domain->tiers.has_value() ||
      !file.domain->tiers->source.has_value()) {
    ADD_FAILURE() << "no source in " << yaml;
    return {};
  }
  return *file.domain->tiers->source;
}

// A file with this flow map as its user_tier_source.
std::string WithMap(const std::string& fields) {
  return absl::StrCat(kTop, "user_tier_source: {", fields, "}\n");
}

TEST_F(TierSourceFormatTest, AUrlIsEnoughAtTheTopOrUnderRateLimit) {
  const std::string url = "https://api.example.com/user-tier/{user_id}";
  const TierSourceSpec top =
      MustLoadSource(absl::StrCat(kTop, "user_tier_source: ", url, "\n"));
  EXPECT_EQ(top, TierSourceSpec{.url = url});
  EXPECT_EQ(
      MustLoadSource(absl::StrCat(kTop, "  user_tier_source: ", url, "\n")),
      top);
}

TEST_F(TierSourceFormatTest, ASourceIsOptional) {
  const LoadedFile file = Load(kTop);
  ASSERT_TRUE(file.domain.has_value());
  EXPECT_FALSE(file.domain->tiers->source.has_value());
}

TEST_F(TierSourceFormatTest, TimeoutAndWaitMayBeBesideTheUrl) {
  for (const char* indent : {"", "  "}) {
    const TierSourceSpec spec = MustLoadSource(
        absl::StrCat(kTop, indent, "user_tier_timeout: 250ms\n", indent,
                     "user_tier_wait: false\n", indent,
                     "user_tier_source: http://h:1/?u={user_id}&x=1\n"));
    EXPECT_EQ(spec.timeout, absl::Milliseconds(250));
    EXPECT_FALSE(spec.wait);
  }
}

TEST_F(TierSourceFormatTest, AMapHasEverySetting) {
  const TierSourceSpec spec = MustLoadSource(
      WithMap("url: 'https://h/{user_id}', timeout: 2s, ttl: 5m, stale: 10s, "
              "negative_ttl: 1m, max_cached: 7, max_concurrent: 3, "
              "wait: false, ask_assigned: true, ca_file: /etc/ca.pem, "
              "header: {name: X-Key, value_env: TOKEN}"));
  EXPECT_EQ(spec, (TierSourceSpec{.url = "https://h/{user_id}",
                                  .ca_file = "/etc/ca.pem",
                                  .header_name = "X-Key",
                                  .header_value = "s3cret",
                                  .timeout = absl::Seconds(2),
                                  .ttl = absl::Minutes(5),
                                  .stale = absl::Seconds(10),
                                  .negative_ttl = absl::Minutes(1),
                                  .max_cached = 7,
                                  .max_concurrent = 3,
                                  .wait = false,
                                  .ask_assigned = true}));
}

TEST_F(TierSourceFormatTest, StaleIsHalfOfTheTtlByDefault) {
  EXPECT_EQ(
      MustLoadSource(WithMap("url: 'http://h/{user_id}', ttl: 10s")).stale,
      absl::Seconds(5));
}

TEST_F(TierSourceFormatTest, AHeaderComesFromAFileAVariableOrTheText) {
  const std::string url = "url: 'http://h/{user_id}', header: ";
  EXPECT_EQ(MustLoadSource(WithMap(url + "{name: A, value_file: /run/key}"))
                .header_file,
            "/run/key");
  EXPECT_EQ(MustLoadSource(WithMap(url + "{name: A, value: 'Bearer ${TOKEN}'}"))
                .header_value,
            "Bearer s3cret");
}

TEST_F(TierSourceFormatTest, ErrorsOfBadUrlsDoNotShowTheUrl) {
  for (const char* url :
       {"ftp://h/{user_id}", "h/{user_id}", "https:///{user_id}",
        "https://{user_id}/x", "https://{user_id}.h/x", "https://h/user",
        "https://a:b@h/{user_id}", "https://h\\@i/{user_id}",
        "https://h/{user_id}#x", "https://h/a b{user_id}",
        "https://h/#{user_id}", "https://h\xC3\xBC/{user_id}",
        "file:///{user_id}"}) {
    const std::string errors =
        ErrorsOf(absl::StrCat(kTop, "user_tier_source: '", url, "'\n"));
    EXPECT_THAT(errors, HasSubstr("f.yaml:3: user_tier_source: expected a URL"))
        << url;
    EXPECT_THAT(errors, Not(HasSubstr(url)));
  }
  EXPECT_THAT(ErrorsOf(absl::StrCat(kTop, "user_tier_source: [a]\n")),
              HasSubstr("f.yaml:3: user_tier_source: found a list"));
}

TEST_F(TierSourceFormatTest, ReportsEveryErrorWithItsLine) {
  const std::string url = "url: 'http://h/{user_id}', ";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {WithMap("ttl: 1m"), "f.yaml:3: user_tier_source: found no url"},
      {WithMap(url + "tll: 1m"), "did you mean \"ttl\"?"},
      {WithMap(url + "timeout: 1"),
       "f.yaml:3: timeout: found \"1\", expected a duration from 1ms to 10s"},
      {WithMap(url + "timeout: 11s"), "expected a duration from 1ms to 10s"},
      {WithMap(url + "ttl: 0s"), "expected a duration from 1s to 168h"},
      {WithMap(url + "ttl: 10s, stale: 11s"),
       "f.yaml:3: stale: found \"11s\", expected a duration from 0 to 10s"},
      {WithMap(url + "max_cached: 0"), "a whole number from 1 to"},
      {WithMap(url + "max_concurrent: many"), "a whole number from 1 to 1000"},
      {WithMap(url + "wait: maybe"), "wait: found \"maybe\""},
      {WithMap(url + "header: key"),
       "f.yaml:3: header: expected a map of name"},
      {WithMap(url + "header: {value: x}"), "the name of a header"},
      {WithMap(url + "header: {name: 'a b', value: x}"),
       "the name of a header"},
      {WithMap(url + "header: {name: A}"),
       "expected one of value_file, value_env, value"},
      {WithMap(url + "header: {name: A, value: x, value_file: y}"),
       "expected one of value_file, value_env, value"},
      {WithMap(url + "header: {name: A, value_env: NONE}"),
       "environment variable \"NONE\" is not set"},
      {absl::StrCat(kTop, "user_tier_wait: true\n"),
       "f.yaml:3: user_tier_wait requires user_tier_source"},
      {absl::StrCat(kTop, "  user_tier_timeout: 1s\n"),
       "f.yaml:3: user_tier_timeout requires user_tier_source"},
      {absl::StrCat(WithMap("url: 'http://h/{user_id}'"),
                    "user_tier_wait: true\n"),
       "f.yaml:4: user_tier_wait requires a URL as user_tier_source"},
      {absl::StrCat(kTop, "  user_tier_source: http://h/{user_id}\n",
                    "user_tier_source: http://h/{user_id}\n"),
       "f.yaml:3: user_tier_source is also at the top of the file"},
  };
  for (const auto& [yaml, error] : cases) {
    EXPECT_THAT(ErrorsOf(yaml), HasSubstr(error)) << yaml;
  }
}

TEST_F(TierSourceFormatTest, NoErrorShowsASecret) {
  const std::string yaml =
      WithMap("url: 'http://h/{user_id}', header: {name: A, value_env: EVIL}");
  EXPECT_THAT(ErrorsOf(yaml), HasSubstr("the value is empty or has control"));
  EXPECT_THAT(ErrorsOf(yaml), Not(HasSubstr("s3cret")));
  EXPECT_THAT(ErrorsOf(WithMap("url: 'http://h/{user_id}', header: s3cret")),
              Not(HasSubstr("s3cret")));
  EXPECT_THAT(ErrorsOf(WithMap("url: \"http://s3cret/{user_id}\\x01\"")),
              Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace rls
