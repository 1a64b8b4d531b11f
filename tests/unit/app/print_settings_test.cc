// --print-settings, and the warnings about settings without effect.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "app/app.h"
#include "app/environment.h"
#include "app/settings.h"
#include "temp_folder.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PrintSettingsTest : public ::testing::Test {
 protected:
  absl::StatusOr<CommandLine> Read(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "ratelimitd");
    return ReadCommandLine(static_cast<int>(arguments.size()), arguments.data(),
                           Lookup());
  }

  Environment Lookup() {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto it = variables_.find(name);
      if (it == variables_.end()) return std::nullopt;
      return it->second;
    };
  }

  std::string Print(std::vector<const char*> arguments) {
    arguments.push_back("--print-settings");
    const auto line = Read(std::move(arguments));
    EXPECT_TRUE(line.ok()) << line.status();
    return line.ok() ? line->print : "";
  }

  std::vector<std::string> Warnings() {
    const auto line = Read({"--config", "a"});
    EXPECT_TRUE(line.ok()) << line.status();
    return line.ok() ? line->warnings : std::vector<std::string>();
  }

  std::string Error() {
    return std::string(Read({"--config", "a"}).status().message());
  }

  std::map<std::string, std::string> variables_;
};

TEST_F(PrintSettingsTest, EachSettingHasItsValueAndOrigin) {
  variables_ = {{"GRPC_PORT", "7"}, {"LOG_LEVEL", "WARN"}};
  const std::string text = Print({"--http-address", "127.0.0.1:9"});
  EXPECT_THAT(text, HasSubstr("\nGRPC_HOST = [::] (default)\n"));
  EXPECT_THAT(text, HasSubstr("\nGRPC_PORT = 7 (environment variable)\n"));
  EXPECT_THAT(text, HasSubstr("\nLOG_LEVEL = WARN (environment variable)\n"));
  EXPECT_THAT(text, HasSubstr("\nDRAIN_TIME = 10s (default)\n"));
  EXPECT_THAT(text, HasSubstr("\nREDIS_TLS = false (default)\n"));
  EXPECT_THAT(text, HasSubstr("--http-address = 127.0.0.1:9 (flag)\n"));
}

TEST_F(PrintSettingsTest, AFlagReplacesItsVariables) {
  variables_ = {{"PORT", "7"}, {"HOST", "::1"}, {"REDIS_URL", "h:1"}};
  const std::string text =
      Print({"--http-address", "h:9", "--redis-url", "redis://x:2"});
  EXPECT_THAT(text, Not(HasSubstr("\nPORT = ")));
  EXPECT_THAT(text, Not(HasSubstr("\nHOST = ")));
  EXPECT_THAT(text, Not(HasSubstr("\nREDIS_URL = ")));
  EXPECT_THAT(text, HasSubstr("--redis-url = redis://x:2 (flag)\n"));
}

TEST_F(PrintSettingsTest, SecretsAreMasked) {
  variables_ = {{"REDIS_AUTH", "hunter2"},
                {"REDIS_SENTINEL_AUTH", "hunter2"},
                {"KEY_HASH_SECRET", "hunter2"},
                {"REDIS_URL", "redis://bob:hunter2@h:1/2"},
                {"CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS", "x-t:hunter2"}};
  const std::string text = Print({});
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr("REDIS_AUTH = *** (environment variable)"));
  EXPECT_THAT(text, HasSubstr("REDIS_URL = redis://***@h:1/2 (env"));
  EXPECT_THAT(text, HasSubstr("REDIS_PERSECOND_AUTH = \"\" (default)"));
}

TEST_F(PrintSettingsTest, UrlsOfEachFormAreMasked) {
  const char* const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const char* const traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  struct Case {
    const char* name;
    const char* value;
    const char* shown;
  };
  const Case cases[] = {
      {"REDIS_PERSECOND_URL", "hunter2@h:1", "***@h:1"},
      {"REDIS_PERSECOND_URL", "redis://bob:p@hunter2@h:1", "redis://***@h:1"},
      {"REDIS_PERSECOND_URL", "bob:hunter2://x@h:1", "***@h:1"},
      {"REDIS_PERSECOND_URL", "rediss+sentinel://:hunter2@a,b/m",
       "rediss+sentinel://***@a,b/m"},
      {endpoint, "https://h:1", "https://h:1"},
      {endpoint, "https://h:1/", "https://h:1/"},
      {endpoint, "https://h:1/hunter2/otlp", "https://h:1/***"},
      {endpoint, "https://h?key=hunter2", "https://h?***"},
      {traces, "https://h/v1/traces?key=hunter2", "https://h/***"},
  };
  for (const auto& [name, value, shown] : cases) {
    variables_ = {{"TRACING_ENABLED", "true"}, {name, value}};
    const std::string text = Print({});
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_THAT(text, HasSubstr(std::string(name) + " = " + shown + " (env"));
  }
}

TEST_F(PrintSettingsTest, AnErrorShowsNoSecret) {
  variables_ = {{"TRACING_ENABLED", "true"},
                {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://bob:hunter2@h:1/x"}};
  EXPECT_THAT(Error(), HasSubstr("OTEL_EXPORTER_OTLP_ENDPOINT: found "
                                 "\"http://***@h:1/***\", expected http"));
}

TEST_F(PrintSettingsTest, TheRedisOfAFileNamesTheFile) {
  const TempFolder folder;
  const std::string path =
      folder.Write("a.yaml", "domain: d\nredis: redis://:pw@file:1\n");
  const std::string text = Print({"--config", path.c_str()});
  EXPECT_THAT(text, HasSubstr("REDIS_URL = redis://***@file:1 (configuration "
                              "file " +
                              path + ":2)\n"));
}

TEST_F(PrintSettingsTest, TheLinesAreSorted) {
  const std::string text = Print({});
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.pop_back();
  EXPECT_TRUE(std::is_sorted(lines.begin(), lines.end())) << text;
}

TEST_F(PrintSettingsTest, ABadValueIsStillAnError) {
  variables_ = {{"GRPC_PORT", "x"}};
  EXPECT_THAT(Read({"--print-settings"}).status().message(),
              HasSubstr("GRPC_PORT"));
}

TEST_F(PrintSettingsTest, AVariableWithoutEffectIsNamedWithTheReason) {
  variables_ = {{"REDIS_POOL_SIZE", "20"},
                {"MEMCACHE_HOST_PORT", "h:1"},
                {"REDIS_PIPELINE_WINDOW", ""}};
  EXPECT_THAT(
      Warnings(),
      ElementsAre("MEMCACHE_HOST_PORT has no effect: memcached is not "
                  "supported",
                  HasSubstr("REDIS_POOL_SIZE has no effect: there is no")));
}

TEST_F(PrintSettingsTest, BothWaysOfChangeAreNoticedWithoutAWord) {
  for (const char* value : {"true", "false"}) {
    variables_ = {{"RUNTIME_WATCH_ROOT", value},
                  {"RUNTIME_IGNOREDOTFILES", "true"}};
    EXPECT_THAT(Warnings(), IsEmpty());
  }
  variables_ = {{"RUNTIME_IGNOREDOTFILES", "false"}};
  EXPECT_THAT(Warnings(), ElementsAre(HasSubstr("dot files")));
}

TEST_F(PrintSettingsTest, ABadValueOfAnIgnoredVariableEndsTheStart) {
  const std::pair<const char*, const char*> cases[] = {
      {"REDIS_POOL_SIZE", "big"},
      {"REDIS_POOL_SIZE", "1.5"},
      {"REDIS_PIPELINE_WINDOW", "10"},
      {"REDIS_STARTUP_MAX_INTERVAL", "soon"},
      {"REDIS_POOL_ON_EMPTY_BEHAVIOR", "CREATE"},
      {"REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR", "error"},
      {"MEMCACHE_TLS", "yes"},
      {"RUNTIME_WATCH_ROOT", "yes"},
      {"FORCE_START_WITHOUT_INITIAL_CONFIG", "2"},
  };
  for (const auto& [name, value] : cases) {
    variables_ = {{name, value}};
    EXPECT_THAT(Error(), HasSubstr(std::string(name) + ": found \"" + value +
                                   "\", expected "));
  }
  for (const auto& [name, value] :
       {std::pair("REDIS_POOL_SIZE", "0x10"),
        std::pair("REDIS_POOL_ON_EMPTY_BEHAVIOR", "WAIT"),
        std::pair("REDIS_PIPELINE_WINDOW", "150us"),
        std::pair("MEMCACHE_SRV_REFRESH", "0")}) {
    variables_ = {{name, value}};
    EXPECT_EQ(Error(), "") << name;
  }
}

// Kubernetes sets them for a Service `redis` or `grpc`.
TEST_F(PrintSettingsTest, ServiceLinksAreNoSettings) {
  variables_ = {{"REDIS_PORT", "tcp://10.0.0.1:6379"},
                {"REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379"},
                {"REDIS_SERVICE_HOST", "10.0.0.1"},
                {"RATELIMIT_PORT", "tcp://10.0.0.1:8081"}};
  EXPECT_THAT(Warnings(), IsEmpty());
  variables_ = {{"GRPC_PORT", "tcp://10.0.0.1:8081"},
                {"DEBUG_PORT", "udp://10.0.0.1:53"}};
  EXPECT_EQ(Read({"--config", "a"})->settings.grpc.address, "[::]:8081");
  EXPECT_THAT(
      Warnings(),
      ElementsAre("GRPC_PORT has no effect: \"tcp://10.0.0.1:8081\" is a "
                  "service link of Kubernetes",
                  HasSubstr("DEBUG_PORT has no effect")));
}

TEST_F(PrintSettingsTest, OnlyTheNameOfTheReferenceHasItsFolder) {
  for (const bool reference_name : {false, true}) {
    Settings settings;
    settings.reference_name = reference_name;
    ASSERT_TRUE(ApplyEnvironment(Lookup(), settings).ok());
    if (reference_name) {
      EXPECT_THAT(settings.config_paths,
                  ElementsAre("/srv/runtime_data/current/config"));
    } else {
      EXPECT_THAT(settings.config_paths, IsEmpty());
    }
  }
}

TEST_F(PrintSettingsTest, TheNameOfTheReferenceMakesCountersInMemoryAWarning) {
  const TempFolder folder;
  Settings settings;
  settings.config_paths = {folder.Write("a.yaml", "domain: d\n")};
  settings.grpc.address = "127.0.0.1:0";
  settings.admin.http_address = "127.0.0.1:0";
  settings.admin.debug_address = "127.0.0.1:0";
  const auto log_of_start = [&] {
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(StartApp(settings, Lookup()).ok());
    return ::testing::internal::GetCapturedStderr();
  };
  const auto warns = HasSubstr(
      "counters are in memory, each replica alone: REDIS_URL is not set");
  EXPECT_THAT(log_of_start(), Not(warns));
  settings.reference_name = true;
  EXPECT_THAT(log_of_start(), warns);
  settings.redis.in_memory = true;  // asked for
  EXPECT_THAT(log_of_start(), Not(warns));
}

}  // namespace
}  // namespace rls
