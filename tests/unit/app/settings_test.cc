#include "app/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
 protected:
  absl::StatusOr<CommandLine> Read(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "ratelimitd");
    return ReadCommandLine(
        static_cast<int>(arguments.size()), arguments.data(),
        [this](const std::string& name) -> std::optional<std::string> {
          const auto it = variables_.find(name);
          if (it == variables_.end()) return std::nullopt;
          return it->second;
        });
  }

  Settings MustRead(const std::vector<const char*>& arguments) {
    const auto line = Read(arguments);
    EXPECT_TRUE(line.ok()) << line.status();
    return line.ok() ? line->settings : Settings();
  }

  std::string MustFail(const std::vector<const char*>& arguments) {
    const auto line = Read(arguments);
    EXPECT_TRUE(absl::IsInvalidArgument(line.status())) << line.status();
    return std::string(line.status().message());
  }

  std::map<std::string, std::string> variables_;
};

TEST_F(SettingsTest, DefaultsAreTheDocumentedAddresses) {
  const Settings settings = MustRead({"--config", "a.yaml"});
  EXPECT_EQ(settings.grpc.address, "[::]:8081");
  EXPECT_EQ(settings.admin.http_address, "[::]:8080");
  EXPECT_EQ(settings.admin.debug_address, "127.0.0.1:6070");
  EXPECT_EQ(settings.log_level, "info");
  EXPECT_FALSE(settings.answers.headers);
}

TEST_F(SettingsTest, ConfigCanBeGivenSeveralTimes) {
  EXPECT_THAT(MustRead({"--config", "a", "--config=b"}).config_paths,
              ElementsAre("a", "b"));
}

TEST_F(SettingsTest, ReferenceVariablesNameTheAddresses) {
  variables_ = {{"GRPC_HOST", "127.0.0.1"},
                {"GRPC_PORT", "9001"},
                {"HOST", "::1"},
                {"PORT", "9002"},
                {"DEBUG_HOST", "0.0.0.0"},
                {"DEBUG_PORT", "0"}};
  const Settings settings = MustRead({"--config", "a"});
  EXPECT_EQ(settings.grpc.address, "127.0.0.1:9001");
  EXPECT_EQ(settings.admin.http_address, "[::1]:9002");
  EXPECT_EQ(settings.admin.debug_address, "0.0.0.0:0");
}

TEST_F(SettingsTest, VariablesConfigureForwardAuth) {
  variables_ = {{"FORWARD_AUTH_DOMAIN", "shop"},
                {"FORWARD_AUTH_DESCRIPTORS", "user=X-User"},
                {"FORWARD_AUTH_TIMEOUT", "40s"}};
  const ForwardAuthSettings settings =
      MustRead({"--config", "a"}).admin.forward_auth;
  EXPECT_EQ(settings.domain, "shop");
  EXPECT_EQ(settings.descriptors, "user=X-User");
  EXPECT_EQ(settings.timeout, absl::Seconds(40));
  variables_["FORWARD_AUTH_DESCRIPTORS"] = "user";
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("FORWARD_AUTH_DESCRIPTORS: found \"user\", expected "
                        "key=Header"));
}

TEST_F(SettingsTest, APortAloneKeepsTheDefaultHost) {
  variables_ = {{"GRPC_PORT", "7"}};
  EXPECT_EQ(MustRead({"--config", "a"}).grpc.address, "[::]:7");
}

TEST_F(SettingsTest, TheDrainDelayIsADurationWithItsUnit) {
  EXPECT_EQ(MustRead({"--config", "a"}).drain_delay, absl::Seconds(5));
  variables_ = {{"DRAIN_DELAY", "0s"}};
  EXPECT_EQ(MustRead({"--config", "a"}).drain_delay, absl::ZeroDuration());
  EXPECT_EQ(MustRead({"--config", "a", "--drain-delay", "1m"}).drain_delay,
            absl::Minutes(1));
  for (const std::string bad : {"5", "-1s", "inf"}) {
    EXPECT_THAT(
        MustFail({"--config", "a", "--drain-delay", bad.c_str()}),
        HasSubstr("--drain-delay: found \"" + bad + "\", expected a duration"));
  }
  variables_ = {{"DRAIN_DELAY", "-1s"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("DRAIN_DELAY: found \"-1s\", expected a duration"));
}

TEST_F(SettingsTest, AFlagWinsOverItsVariable) {
  variables_ = {
      {"GRPC_PORT", "7"}, {"LOG_LEVEL", "ERROR"}, {"RUNTIME_ROOT", "/srv/x"}};
  const Settings settings =
      MustRead({"--grpc-address", "127.0.0.1:8", "--config", "a"});
  EXPECT_EQ(settings.grpc.address, "127.0.0.1:8");
  EXPECT_EQ(settings.log_level, "ERROR");
  EXPECT_THAT(settings.config_paths, ElementsAre("a"));
}

TEST_F(SettingsTest, RuntimeVariablesNameTheFolderOfTheReference) {
  variables_ = {{"RUNTIME_ROOT", "/data"}, {"RUNTIME_SUBDIRECTORY", "limits"}};
  EXPECT_THAT(MustRead({}).config_paths, ElementsAre("/data/limits/config"));
  variables_["RUNTIME_SUBDIRECTORY"] = "";
  variables_["RUNTIME_APPDIRECTORY"] = "app";
  EXPECT_THAT(MustRead({}).config_paths, ElementsAre("/data/app"));
}

TEST_F(SettingsTest, AnswersAndLimitsComeFromTheEnvironment) {
  variables_ = {{"LIMIT_RESPONSE_HEADERS_ENABLED", "true"},
                {"LIMIT_LIMIT_HEADER", "X-Limit"},
                {"RESPONSE_DYNAMIC_METADATA", "1"},
                {"GRPC_MAX_CONNECTION_AGE", "90m"},
                {"GRPC_MAX_REQUEST_BYTES", "2048"},
                {"MAX_CONNECTIONS", "2000"},
                {"MAX_CONNECTIONS_PER_PEER", "300"},
                {"MAX_COUNTERS", "1000"},
                {"MAX_COUNTER_BYTES", "2000000"}};
  const Settings settings = MustRead({"--config", "a"});
  EXPECT_TRUE(settings.answers.headers);
  EXPECT_EQ(settings.answers.limit_header, "X-Limit");
  EXPECT_TRUE(settings.answers.dynamic_metadata);
  EXPECT_EQ(settings.grpc.max_connection_age, absl::Minutes(90));
  EXPECT_EQ(settings.grpc.max_request_bytes, 2048);
  EXPECT_EQ(settings.max_counters, 1000u);
  EXPECT_EQ(settings.grpc.max_connections, 2000u);
  EXPECT_EQ(settings.grpc.max_connections_per_peer, 300u);
  EXPECT_EQ(settings.max_counter_bytes, 2'000'000u);
}

// The shipped manifests allow 256 MiB.
TEST_F(SettingsTest, TheCountersTakeAtMostHalfOfTheShippedMemory) {
  EXPECT_LE(MustRead({"--config", "a"}).max_counter_bytes, size_t{128} << 20);
}

TEST_F(SettingsTest, ABadVariableIsNamedWithTheExpectedValue) {
  variables_ = {{"GRPC_PORT", "http"}};
  EXPECT_EQ(MustFail({"--config", "a"}),
            "GRPC_PORT: found \"http\", expected a number from 0 to 65535");
  variables_ = {{"RESPONSE_DYNAMIC_METADATA", "yes"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("RESPONSE_DYNAMIC_METADATA: found \"yes\""));
  variables_ = {{"GRPC_MAX_CONNECTION_AGE", "10"}};
  EXPECT_THAT(MustFail({"--config", "a"}), HasSubstr("with its unit"));
  // A bug silently dropped such a header from each answer.
  for (const char* name : {"X-Limit\r\nSet-Cookie", "X Limit", "X:", "Größe"}) {
    variables_ = {{"LIMIT_RESET_HEADER", name}};
    EXPECT_THAT(MustFail({"--config", "a"}),
                ::testing::EndsWith("expected the name of a header"));
  }
}

TEST_F(SettingsTest, WithoutARedisCountersAreInMemory) {
  EXPECT_EQ(MustRead({"--config", "a"}).redis.server.url, "");
}

TEST_F(SettingsTest, ReferenceVariablesNameTheRedis) {
  variables_ = {{"REDIS_URL", "redis.example:6380"},
                {"REDIS_SOCKET_TYPE", "tls"},
                {"REDIS_AUTH", "bob:pass:word"},
                {"REDIS_TLS_CACERT", "/ca.pem"},
                {"REDIS_TIMEOUT", "7ms"},
                {"CACHE_KEY_PREFIX", "rl:"},
                {"LOCAL_CACHE_SIZE_IN_BYTES", "0"}};
  const auto options = RedisOptionsOf(MustRead({"--config", "a"}).redis);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->target.endpoints[0].ToString(), "redis.example:6380");
  EXPECT_EQ(options->target.credentials.user, "bob");
  EXPECT_EQ(options->target.credentials.password, "pass:word");
  ASSERT_TRUE(options->target.tls.has_value());
  EXPECT_EQ(options->target.tls->ca_file, "/ca.pem");
  EXPECT_TRUE(options->target.tls->verify_hostname);
  EXPECT_EQ(options->command_timeout, absl::Milliseconds(7));
  EXPECT_EQ(options->key_prefix, "rl:");
  EXPECT_EQ(options->deny_cache_entries, 0u);
}

TEST_F(SettingsTest, ReferenceVariablesNameSentinelsAndACluster) {
  variables_ = {{"REDIS_TYPE", "SENTINEL"},
                {"REDIS_URL", "mymaster,s1:26379,s2:26379"}};
  auto options = RedisOptionsOf(MustRead({"--config", "a"}).redis);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->target.kind, RedisTarget::Kind::kSentinel);
  EXPECT_EQ(options->target.master_name, "mymaster");
  EXPECT_EQ(options->target.endpoints.size(), 2u);
  variables_ = {{"REDIS_TYPE", "cluster"}, {"REDIS_URL", "n1:7000,n2:7001"}};
  options = RedisOptionsOf(MustRead({"--config", "a"}).redis);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->target.kind, RedisTarget::Kind::kCluster);
  EXPECT_EQ(options->target.endpoints.size(), 2u);
}

TEST_F(SettingsTest, ASecondRedisMayHaveTheLimitsPerSecond) {
  variables_ = {{"REDIS_URL", "main:6379"},
                {"REDIS_PERSECOND", "true"},
                {"REDIS_PERSECOND_URL", "fast:6380"},
                {"REDIS_PERSECOND_TIMEOUT", "3ms"},
                {"REDIS_PERSECOND_AUTH", "pass"}};
  const auto options = RedisOptionsOf(MustRead({"--config", "a"}).redis);
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_TRUE(options->per_second.has_value());
  EXPECT_EQ(options->per_second->endpoints[0].ToString(), "fast:6380");
  EXPECT_EQ(options->per_second->credentials.password, "pass");
  EXPECT_EQ(options->target.credentials.password, "");
  EXPECT_EQ(options->per_second_timeout, absl::Milliseconds(3));
  EXPECT_EQ(options->command_timeout, absl::Milliseconds(10));
  variables_.erase("REDIS_PERSECOND");
  EXPECT_FALSE(RedisOptionsOf(MustRead({"--config", "a"}).redis)
                   ->per_second.has_value());
  variables_ = {{"REDIS_URL", "main:6379"}, {"REDIS_PERSECOND", "true"}};
  EXPECT_THAT(MustFail({"--config", "a"}), HasSubstr("REDIS_PERSECOND_URL"));
}

TEST_F(SettingsTest, TheSocketTypeOfTheReferenceMustFitTheAddress) {
  struct Case {
    const char* type;
    const char* url;
    const char* error;  // "" for none
  };
  for (const Case& one :
       {Case{"tcp", "redis:6379", ""}, Case{"TLS", "redis:6379", ""},
        Case{"unix", "/run/redis.sock", ""}, Case{"", "redis:6379", ""},
        Case{"unix", "redis://h:1", ""},
        Case{"unix", "redis:6379", "socket type unix"},
        Case{"tcp", "/run/redis.sock", "socket type tcp"},
        Case{"udp", "redis:6379",
             "REDIS_SOCKET_TYPE: found \"udp\", expected unix, tcp or tls"}}) {
    variables_ = {{"REDIS_SOCKET_TYPE", one.type}, {"REDIS_URL", one.url}};
    const auto line = Read({"--config", "a"});
    EXPECT_EQ(line.ok(), one.error[0] == '\0') << one.type << one.url;
    EXPECT_THAT(std::string(line.status().message()), HasSubstr(one.error));
  }
  variables_ = {{"REDIS_URL", "h:1"},
                {"REDIS_PERSECOND", "1"},
                {"REDIS_PERSECOND_URL", "h:1"},
                {"REDIS_PERSECOND_SOCKET_TYPE", "sctp"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("REDIS_PERSECOND_SOCKET_TYPE: found \"sctp\""));
}

TEST_F(SettingsTest, CountersCanBeInMemoryBesideAREDIS_URL) {
  variables_ = {{"BACKEND_TYPE", "memory"},
                {"REDIS_URL", "redis:6379"},
                {"REDIS_PERSECOND", "true"}};
  const auto line = Read({"--config", "a"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_TRUE(line->settings.redis.in_memory);
  EXPECT_EQ(line->settings.redis.server.url, "");
  EXPECT_THAT(line->warnings,
              ElementsAre(HasSubstr("REDIS_URL has no effect"),
                          HasSubstr("REDIS_PERSECOND has no effect")));
  EXPECT_THAT(MustFail({"--config", "a", "--redis-url", "h:1"}),
              HasSubstr("BACKEND_TYPE=memory"));
  variables_ = {{"REDIS_URL", "memory:"}, {"REDIS_PERSECOND", "true"}};
  const RedisSettings redis = MustRead({"--config", "a"}).redis;
  const RedisPlace place{.url = "redis://file:1", .origin = "c.yaml:3"};
  EXPECT_EQ(RedisSettingsWith(place, redis)->server.url, "");
  variables_ = {{"REDIS_URL", "h:1"}};
  EXPECT_TRUE(
      MustRead({"--config", "a", "--redis-url", "memory:"}).redis.in_memory);
}

TEST_F(SettingsTest, OtherBackendsAreRefused) {
  for (const char* backend : {"redis", ""}) {
    variables_ = {{"BACKEND_TYPE", backend}, {"REDIS_URL", "h:1"}};
    EXPECT_EQ(MustRead({"--config", "a"}).redis.server.url, "h:1");
  }
  variables_ = {{"BACKEND_TYPE", "memcache"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("memcached is not supported"));
  variables_ = {{"BACKEND_TYPE", "Redis"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("found \"Redis\", expected redis or memory"));
}

TEST_F(SettingsTest, AUnixSocketReplacesTheAddressOfGrpc) {
  variables_ = {{"GRPC_UDS", "/tmp/rl.sock"}, {"GRPC_PORT", "7"}};
  EXPECT_EQ(MustRead({"--config", "a"}).grpc.address, "unix:/tmp/rl.sock");
  EXPECT_EQ(MustRead({"--config", "a", "--grpc-address", "h:1"}).grpc.address,
            "h:1");
}

TEST_F(SettingsTest, TheFormatOfTheLogIsTextOrJson) {
  EXPECT_EQ(MustRead({"--config", "a"}).log_format, LogFormat::kText);
  variables_ = {{"LOG_FORMAT", "JSON"}};
  EXPECT_EQ(MustRead({"--config", "a"}).log_format, LogFormat::kJson);
  variables_ = {{"LOG_FORMAT", "logfmt"}};
  const auto line = Read({"--config", "a"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->settings.log_format, LogFormat::kText);
  EXPECT_THAT(line->warnings, ElementsAre(HasSubstr("LOG_FORMAT")));
}

TEST_F(SettingsTest, ReadinessMayNeedRules) {
  const auto ready_with = [this](std::map<std::string, std::string> variables) {
    variables_ = std::move(variables);
    variables_.emplace("RUNTIME_ROOT", "/data");
    return MustRead({}).ready_with;
  };
  const char* const kDomain = "HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED";
  const char* const kForce = "FORCE_START_WITHOUT_INITIAL_CONFIG";
  const std::pair<const std::string, std::string> xds = {"CONFIG_TYPE",
                                                         "GRPC_XDS_SOTW"};
  EXPECT_EQ(ready_with({}), ReadyWith::kNothing);
  EXPECT_EQ(ready_with({{kForce, "false"}}), ReadyWith::kNothing);
  EXPECT_EQ(ready_with({{kDomain, "true"}}), ReadyWith::kDomain);
  EXPECT_EQ(ready_with({xds}), ReadyWith::kConfiguration);
  EXPECT_EQ(ready_with({xds, {kForce, "true"}}), ReadyWith::kNothing);
  EXPECT_EQ(ready_with({xds, {kForce, "true"}, {kDomain, "true"}}),
            ReadyWith::kDomain);
}

TEST_F(SettingsTest, AFlagWinsOverTheRedisOfAFile) {
  const RedisPlace place{.url = "redis://file:1", .origin = "c.yaml:3"};
  RedisSettings settings;
  EXPECT_EQ(RedisSettingsWith(place, settings)->server.url, "redis://file:1");
  settings.server.url = "redis://flag:1";
  EXPECT_EQ(RedisSettingsWith(place, settings)->server.url, "redis://flag:1");
  EXPECT_EQ(RedisSettingsWith({}, RedisSettings())->server.url, "");
  const auto bad = RedisSettingsWith({.url = "http://a", .origin = "c.yaml:3"},
                                     RedisSettings());
  EXPECT_THAT(std::string(bad.status().message()),
              testing::StartsWith("c.yaml:3: redis: "));
}

TEST_F(SettingsTest, TheFlagWinsOverREDIS_URL) {
  variables_ = {{"REDIS_URL", "other:1"}};
  const Settings settings =
      MustRead({"--config", "a", "--redis-url", "unix:///run/redis"});
  EXPECT_EQ(RedisOptionsOf(settings.redis)->target.endpoints[0].unix_path,
            "/run/redis");
}

TEST_F(SettingsTest, ABadRedisIsAUsageErrorThatHidesThePassword) {
  const std::string error =
      MustFail({"--config", "a", "--redis-url", "redis://u:hunter2@:bad"});
  EXPECT_THAT(error, ::testing::Not(HasSubstr("hunter2")));
  variables_ = {{"REDIS_TYPE", "ring"}, {"REDIS_URL", "h:1"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("REDIS_TYPE: found \"ring\", expected single"));
  variables_ = {{"REDIS_TYPE", "sentinel"}, {"REDIS_URL", "h:1"}};
  EXPECT_EQ(MustFail({"--config", "a"}),
            "REDIS_URL: a Redis URL of type sentinel: expected "
            "master,host:port,...");
  EXPECT_THAT(MustFail({"--config", "a", "--redis-url", "i:1"}),
              HasSubstr("--redis-url: a Redis URL of type sentinel"));
  variables_ = {{"REDIS_TIMEOUT", "0s"}, {"REDIS_URL", "h:1"}};
  EXPECT_THAT(MustFail({"--config", "a"}), HasSubstr("REDIS_TIMEOUT"));
}

TEST_F(SettingsTest, BadFlagsAreUsageErrors) {
  EXPECT_THAT(MustFail({"--config", "a", "--grpc-address", "8081"}),
              HasSubstr("--grpc-address: found \"8081\", expected HOST:PORT"));
  EXPECT_THAT(MustFail({"--config", "a", "--http-address", "h:70000"}),
              HasSubstr("--http-address"));
  EXPECT_THAT(MustFail({"--config", "a", "--log-level", "loud"}),
              HasSubstr("--log-level: found \"loud\""));
  variables_ = {{"LOG_LEVEL", "loud"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("LOG_LEVEL: found \"loud\", expected debug"));
  variables_ = {{"GRPC_TRANSPORT", "fast"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("GRPC_TRANSPORT: found \"fast\", expected lean"));
  variables_.clear();
  EXPECT_THAT(MustFail({"--no-such-flag"}), HasSubstr("--no-such-flag"));
  EXPECT_THAT(MustFail({"--config"}), HasSubstr("--config"));
}

TEST_F(SettingsTest, WithoutAConfigurationTheErrorNamesTheFlag) {
  EXPECT_EQ(MustFail({}),
            "no configuration: give --config PATH or set RUNTIME_ROOT, or "
            "CONFIG_TYPE=GRPC_XDS_SOTW");
}

TEST_F(SettingsTest, RulesOverXdsNeedNoFiles) {
  variables_ = {{"CONFIG_TYPE", "GRPC_XDS_SOTW"},
                {"CONFIG_GRPC_XDS_SERVER_URL", "xds:18001"},
                {"CONFIG_GRPC_XDS_NODE_ID", "node"},
                {"CONFIG_GRPC_XDS_NODE_METADATA", "a=b=c, d=e"},
                {"CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS", "x-a: b:c"},
                {"CONFIG_GRPC_XDS_SERVER_USE_TLS", "true"},
                {"CONFIG_GRPC_XDS_SERVER_TLS_CACERT", "ca"},
                {"XDS_CLIENT_BACKOFF_MAX_INTERVAL", "9s"},
                {"XDS_CLIENT_BACKOFF_JITTER", "false"}};
  const XdsOptions xds = MustRead({}).xds.value();
  EXPECT_EQ(xds.protocol, XdsProtocol::kStateOfTheWorld);
  EXPECT_EQ(xds.server, "xds:18001");
  EXPECT_EQ(xds.node_id, "node");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(xds.node_metadata, (Pairs{{"a", "b=c"}, {"d", "e"}}));
  EXPECT_EQ(xds.headers, (Pairs{{"x-a", "b:c"}}));
  EXPECT_EQ(xds.tls.value().ca_file, "ca");
  EXPECT_EQ(xds.backoff_max, absl::Seconds(9));
  EXPECT_EQ(xds.backoff_random_factor, 0);
  variables_ = {{"CONFIG_TYPE", "GRPC_XDS_DELTA"}};
  EXPECT_EQ(MustRead({}).xds.value().protocol, XdsProtocol::kDelta);
  EXPECT_EQ(MustRead({}).xds.value().tls, std::nullopt);
}

TEST_F(SettingsTest, BadSettingsOfXdsAreNamed) {
  variables_ = {{"CONFIG_TYPE", "GRPC_XDS_SOTW"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("--config cannot be combined with CONFIG_TYPE"));
  variables_ = {{"CONFIG_TYPE", "XDS"}};
  EXPECT_THAT(MustFail({"--config", "a"}),
              HasSubstr("CONFIG_TYPE: found \"XDS\", expected FILE"));
  variables_ = {{"CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS", "secret"}};
  EXPECT_THAT(MustFail({"--config", "a"}), HasSubstr("ADDITIONAL_HEADERS"));
  // gRPC would end the process.
  for (const char* header : {"a!b:c", "a b:c", "a:\x01", "a:\xc3\xa9"}) {
    variables_ = {{"CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS", header}};
    EXPECT_THAT(MustFail({"--config", "a"}), HasSubstr("ADDITIONAL_HEADERS"));
  }
  variables_ = {{"XDS_CLIENT_BACKOFF_RANDOM_FACTOR", "1.1"}};
  EXPECT_THAT(MustFail({"--config", "a"}), HasSubstr("a number from 0 to 1"));
}

TEST_F(SettingsTest, HelpAndVersionArePrintedWithoutAConfiguration) {
  EXPECT_THAT(Read({"--help"})->print, HasSubstr("--grpc-address"));
  EXPECT_THAT(Read({"--version"})->print, HasSubstr("ratelimitd "));
}

}  // namespace
}  // namespace rls
