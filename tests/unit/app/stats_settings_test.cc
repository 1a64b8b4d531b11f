#include "app/stats_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "app/environment.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

struct Result {
  StatsSettings settings;
  absl::Status status;
  std::vector<std::string> warnings;
};

Result Read(const std::map<std::string, std::string>& variables) {
  const Environment environment =
      [&variables](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    if (it == variables.end()) return std::nullopt;
    return it->second;
  };
  EnvironmentReader reader(environment);
  Result result;
  result.settings = ReadStatsSettings(reader);
  result.status = reader.status();
  result.warnings = reader.warnings();
  return result;
}

TEST(StatsSettingsTest, NothingIsOnByDefault) {
  EXPECT_FALSE(Read({}).settings.is_on());
  EXPECT_EQ(Read({}).settings.options.near_limit_ratio, 0.8F);
}

TEST(StatsSettingsTest, PrometheusListensWhereItIsTold) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "[::]:9090"},
      {":19001", "[::]:19001"},
      {"127.0.0.1:1", "127.0.0.1:1"},
      {"[::1]:1", "[::1]:1"},
  };
  for (const auto& [text, address] : cases) {
    const Result result =
        Read({{"USE_PROMETHEUS", "true"}, {"PROMETHEUS_ADDR", text}});
    ASSERT_TRUE(result.settings.prometheus.has_value());
    EXPECT_EQ(result.settings.prometheus->address, address);
    EXPECT_EQ(result.settings.prometheus->path, "/metrics");
  }
}

TEST(StatsSettingsTest, TheSwitchesOfStatsd) {
  struct Case {
    std::map<std::string, std::string> variables;
    bool is_on;
    bool is_dog;
  };
  const Case cases[] = {
      {{{"USE_STATSD", "true"}}, true, false},
      {{{"STATSD_HOST", "h"}}, true, false},
      {{{"STATSD_HOST", "h"}, {"USE_STATSD", "false"}}, false, false},
      {{{"STATSD_PORT", "1"}}, false, false},
      {{{"USE_DOG_STATSD", "true"}}, true, true},
      {{{"USE_DOG_STATSD", "true"}, {"STATSD_HOST", "h"}}, true, true},
      {{{"USE_STATSD", "true"}, {"USE_PROMETHEUS", "true"}}, true, false},
      {{{"USE_STATSD", "true"}, {"DISABLE_STATS", "true"}}, false, false},
  };
  for (const Case& one : cases) {
    const Result result = Read(one.variables);
    EXPECT_TRUE(result.status.ok()) << result.status;
    const auto& statsd = result.settings.statsd;
    ASSERT_EQ(statsd.has_value(), one.is_on)
        << testing::PrintToString(one.variables);
    if (!one.is_on) continue;
    EXPECT_EQ(statsd->is_dog, one.is_dog);
  }
}

TEST(StatsSettingsTest, DisableStatsClosesPrometheusToo) {
  EXPECT_FALSE(Read({{"USE_PROMETHEUS", "true"}, {"DISABLE_STATS", "true"}})
                   .settings.is_on());
}

TEST(StatsSettingsTest, ReadsTheServerAndTheTags) {
  const Result result = Read({{"STATSD_HOST", "stats.example"},
                              {"STATSD_PORT", "9125"},
                              {"STATS_FLUSH_INTERVAL", "1m"},
                              {"EXTRA_TAGS", "zone:a, url:http://b"}});
  ASSERT_TRUE(result.status.ok()) << result.status;
  const StatsdOptions& options = *result.settings.statsd;
  EXPECT_EQ(options.server.host, "stats.example");
  EXPECT_EQ(options.server.port, 9125);
  EXPECT_EQ(options.interval, absl::Minutes(1));
  EXPECT_THAT(options.tags,
              ElementsAre(Pair("zone", "a"), Pair("url", "http://b")));
}

TEST(StatsSettingsTest, TheServiceLinkOfKubernetesIsNoPort) {
  const Result result =
      Read({{"USE_STATSD", "true"}, {"STATSD_PORT", "tcp://10.0.0.1:9125"}});
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.settings.statsd->server.port, 8125);
}

TEST(StatsSettingsTest, SettingsWithoutEffectAreNamed) {
  EXPECT_THAT(Read({{"USE_DOG_STATSD_MOGRIFIERS", "A"}}).warnings,
              ElementsAre(HasSubstr("USE_DOG_STATSD_MOGRIFIERS")));
  const std::string some_file = "/proc/self/status";
  EXPECT_THAT(
      Read({{"USE_PROMETHEUS", "true"}, {"PROMETHEUS_MAPPER_YAML", some_file}})
          .warnings,
      ElementsAre(HasSubstr("PROMETHEUS_MAPPER_YAML")));
  EXPECT_THAT(Read({{"PROMETHEUS_MAPPER_YAML", some_file}}).warnings,
              ElementsAre());
}

TEST(StatsSettingsTest, BadValuesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"PROMETHEUS_ADDR", "9090"},    {"PROMETHEUS_ADDR", ":x"},
      {"PROMETHEUS_ADDR", ":65536"},  {"PROMETHEUS_PATH", "metrics"},
      {"STATSD_PORT", "0"},           {"STATSD_PORT", "8125x"},
      {"EXTRA_TAGS", "zone"},         {"EXTRA_TAGS", ":a"},
      {"EXTRA_TAGS", "a:b,"},         {"EXTRA_TAGS", "a:b|c"},
      {"STATS_FLUSH_INTERVAL", "10"}, {"STATS_FLUSH_INTERVAL", "0s"},
      {"NEAR_LIMIT_RATIO", "most"},   {"NEAR_LIMIT_RATIO", "1.1"},
      {"NEAR_LIMIT_RATIO", "-0.1"},   {"NEAR_LIMIT_RATIO", "nan"},
      {"USE_STATSD", "yes"},          {"USE_PROMETHEUS", "on"},
      {"USE_DOG_STATSD", "2"},        {"DISABLE_STATS", "no"},
  };
  for (const auto& [name, value] : cases) {
    EXPECT_THAT(std::string(Read({{name, value}}).status.message()),
                HasSubstr(name))
        << value;
  }
  EXPECT_THAT(
      std::string(Read({{"USE_STATSD", "true"}, {"USE_DOG_STATSD", "true"}})
                      .status.message()),
      HasSubstr("USE_DOG_STATSD"));
}

}  // namespace
}  // namespace rls
