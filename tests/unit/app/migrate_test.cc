// Compares the table of docs/MIGRATE.md with the variables that the server
// reads.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "app/environment.h"
#include "app/ignored_variables.h"
#include "app/settings.h"

namespace rls {
namespace {

// Every setting of envoyproxy/ratelimit, revision f2fb157.
constexpr char kReference[] = R"(
HOST PORT DEBUG_HOST DEBUG_PORT GRPC_UDS GRPC_HOST GRPC_PORT
GRPC_MAX_CONNECTION_AGE GRPC_MAX_CONNECTION_AGE_GRACE GRPC_SERVER_USE_TLS
GRPC_SERVER_TLS_CERT GRPC_SERVER_TLS_KEY GRPC_CLIENT_TLS_CACERT
GRPC_CLIENT_TLS_SAN LOG_LEVEL LOG_FORMAT CONFIG_TYPE
FORCE_START_WITHOUT_INITIAL_CONFIG CONFIG_GRPC_XDS_NODE_ID
CONFIG_GRPC_XDS_NODE_METADATA CONFIG_GRPC_XDS_SERVER_URL
CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL
CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS CONFIG_GRPC_XDS_SERVER_USE_TLS
CONFIG_GRPC_XDS_CLIENT_TLS_CERT CONFIG_GRPC_XDS_CLIENT_TLS_KEY
CONFIG_GRPC_XDS_SERVER_TLS_CACERT CONFIG_GRPC_XDS_SERVER_TLS_SAN
XDS_CLIENT_BACKOFF_INITIAL_INTERVAL XDS_CLIENT_BACKOFF_MAX_INTERVAL
XDS_CLIENT_BACKOFF_RANDOM_FACTOR XDS_CLIENT_BACKOFF_JITTER
XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES USE_DOG_STATSD USE_DOG_STATSD_MOGRIFIERS
USE_STATSD STATSD_HOST STATSD_PORT EXTRA_TAGS STATS_FLUSH_INTERVAL
DISABLE_STATS USE_PROMETHEUS PROMETHEUS_ADDR PROMETHEUS_PATH
PROMETHEUS_MAPPER_YAML PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS RUNTIME_ROOT
RUNTIME_SUBDIRECTORY RUNTIME_APPDIRECTORY RUNTIME_IGNOREDOTFILES
RUNTIME_WATCH_ROOT EXPIRATION_JITTER_MAX_SECONDS LOCAL_CACHE_SIZE_IN_BYTES
NEAR_LIMIT_RATIO CACHE_KEY_PREFIX BACKEND_TYPE
STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT LIMIT_RESPONSE_HEADERS_ENABLED
LIMIT_LIMIT_HEADER LIMIT_REMAINING_HEADER LIMIT_RESET_HEADER
HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED REDIS_SOCKET_TYPE REDIS_TYPE REDIS_URL
REDIS_POOL_SIZE REDIS_AUTH REDIS_TLS REDIS_TLS_CLIENT_CERT
REDIS_TLS_CLIENT_KEY REDIS_TLS_CACERT REDIS_TLS_SKIP_HOSTNAME_VERIFICATION
REDIS_PIPELINE_WINDOW REDIS_PIPELINE_LIMIT REDIS_CLUSTER_PIPELINE_PARALLELISM
REDIS_PERSECOND REDIS_PERSECOND_SOCKET_TYPE REDIS_PERSECOND_TYPE
REDIS_PERSECOND_URL REDIS_PERSECOND_POOL_SIZE REDIS_PERSECOND_AUTH
REDIS_PERSECOND_TLS REDIS_SENTINEL_AUTH REDIS_PERSECOND_SENTINEL_AUTH
REDIS_PERSECOND_PIPELINE_WINDOW REDIS_PERSECOND_PIPELINE_LIMIT
REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM
REDIS_HEALTH_CHECK_ACTIVE_CONNECTION REDIS_TIMEOUT REDIS_PERSECOND_TIMEOUT
REDIS_POOL_ON_EMPTY_BEHAVIOR REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR
REDIS_STARTUP_INITIAL_INTERVAL REDIS_STARTUP_MAX_INTERVAL
REDIS_STARTUP_MAX_ELAPSED_TIME MEMCACHE_HOST_PORT MEMCACHE_MAX_IDLE_CONNS
MEMCACHE_SRV MEMCACHE_SRV_REFRESH MEMCACHE_TLS MEMCACHE_TLS_CLIENT_CERT
MEMCACHE_TLS_CLIENT_KEY MEMCACHE_TLS_CACERT
MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION SHADOW_MODE QUOTA_MODE
RESPONSE_DYNAMIC_METADATA MERGE_DOMAIN_CONFIG TRACING_ENABLED
TRACING_SERVICE_NAME TRACING_SERVICE_NAMESPACE TRACING_SERVICE_INSTANCE_ID
TRACING_EXPORTER_PROTOCOL TRACING_SAMPLING_RATE
)";

struct Row {
  std::string here;         // supported, differs, ignored
  bool ends_start = false;  // with a bad value
};

// The rows of the table under "## Variables", by variable.
std::map<std::string, Row> ReadTable() {
  std::ifstream page(RLS_ROOT "/docs/MIGRATE.md");
  EXPECT_TRUE(page.is_open());
  std::map<std::string, Row> rows;
  std::string line;
  bool inside = false;
  while (std::getline(page, line)) {
    if (absl::StartsWith(line, "## ")) inside = line == "## Variables";
    if (!inside || !absl::StartsWith(line, "| `")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    EXPECT_EQ(cells.size(), 4u) << line;
    if (cells.size() != 4) continue;
    for (absl::string_view name :
         absl::StrSplit(absl::StripPrefix(cells[0], "| "), ", ")) {
      EXPECT_TRUE(absl::ConsumePrefix(&name, "`"));
      EXPECT_TRUE(absl::ConsumeSuffix(&name, "`"));
      const bool is_new =
          rows.emplace(name, Row{cells[1], cells[2] == "ends the start"})
              .second;
      EXPECT_TRUE(is_new) << name;
    }
  }
  return rows;
}

// The settings with these variables. Adds the name of each variable that is
// read to `read`.
absl::StatusOr<CommandLine> ReadWith(
    std::map<std::string, std::string> variables, std::set<std::string>& read) {
  // Without this the other variables of the folder have no effect.
  variables.emplace("RUNTIME_ROOT", "/rules");
  const char* const arguments[] = {"ratelimitd"};
  return ReadCommandLine(
      1, arguments, [&](const std::string& name) -> std::optional<std::string> {
        read.insert(name);
        const auto it = variables.find(name);
        if (it == variables.end()) return std::nullopt;
        return it->second;
      });
}

std::set<std::string> Names() {
  return absl::StrSplit(kReference, absl::ByAnyChar(" \n"), absl::SkipEmpty());
}

TEST(MigrateTest, TheTableHasEachVariableOfTheReferenceOnce) {
  EXPECT_EQ(Names().size(), 114u);
  std::set<std::string> listed;
  for (const auto& [name, row] : ReadTable()) listed.insert(name);
  EXPECT_EQ(listed, Names());
}

// A value that envoyproxy/ratelimit accepts.
const char* GoodValue(ValueKind kind) {
  switch (kind) {
    case ValueKind::kText:
    case ValueKind::kPoolBehavior:
      return "WAIT";
    case ValueKind::kBoolean:
      return "true";
    case ValueKind::kInteger:
      return "1";
    case ValueKind::kDuration:
      return "1s";
  }
  return "";
}

TEST(MigrateTest, TheTableSaysWhichVariablesAreRead) {
  Settings settings;
  const auto report = ApplyEnvironment(
      [](const std::string&) { return std::nullopt; }, settings);
  ASSERT_TRUE(report.ok()) << report.status();
  std::set<std::string> ignored;
  for (const IgnoredVariable& variable : IgnoredVariables()) {
    ignored.insert(variable.name);
  }
  for (const auto& [name, row] : ReadTable()) {
    EXPECT_THAT(row.here, ::testing::AnyOf("supported", "differs", "ignored"))
        << name;
    EXPECT_EQ(report->shown.count(name) == 1, row.here != "ignored") << name;
    EXPECT_EQ(ignored.count(name) == 1, row.here == "ignored") << name;
  }
}

TEST(MigrateTest, EachIgnoredVariableIsNamedIfItIsSet) {
  for (const IgnoredVariable& variable : IgnoredVariables()) {
    std::set<std::string> read;
    const auto line =
        ReadWith({{variable.name, GoodValue(variable.kind)}}, read);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_THAT(line->warnings,
                ::testing::ElementsAre(::testing::StartsWith(
                    std::string(variable.name) + " has no effect: ")));
    EXPECT_EQ(Names().count(variable.name), 1u) << variable.name;
  }
}

TEST(MigrateTest, TheTableSaysWhichBadValuesEndTheStart) {
  for (const auto& [name, row] : ReadTable()) {
    std::set<std::string> read;
    // No number, word, duration, level, type or name of a header.
    const auto line = ReadWith({{name, "no such value"}}, read);
    EXPECT_EQ(!line.ok(), row.ends_start) << name << " " << line.status();
  }
}

}  // namespace
}  // namespace rls
