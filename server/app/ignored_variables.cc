#include "app/ignored_variables.h"

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "app/environment.h"

namespace rls {
namespace {

constexpr char kNoMemcached[] = "memcached is not supported";
constexpr char kNoWait[] = "the start waits at most 2 s for Redis";
constexpr char kPipeline[] =
    "calls that wait for a connection are always sent together";
constexpr char kPool[] = "there is no pool: each thread has its connection";

constexpr IgnoredVariable kIgnored[] = {
    {"CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL", ValueKind::kDuration,
     "the variables XDS_CLIENT_BACKOFF_... set the time between attempts"},
    {"EXPIRATION_JITTER_MAX_SECONDS", ValueKind::kInteger,
     "a key expires with its window, so it needs no jitter"},
    {"MEMCACHE_HOST_PORT", ValueKind::kText, kNoMemcached},
    {"MEMCACHE_MAX_IDLE_CONNS", ValueKind::kInteger, kNoMemcached},
    {"MEMCACHE_SRV", ValueKind::kText, kNoMemcached},
    {"MEMCACHE_SRV_REFRESH", ValueKind::kDuration, kNoMemcached},
    {"MEMCACHE_TLS", ValueKind::kBoolean, kNoMemcached},
    {"MEMCACHE_TLS_CACERT", ValueKind::kText, kNoMemcached},
    {"MEMCACHE_TLS_CLIENT_CERT", ValueKind::kText, kNoMemcached},
    {"MEMCACHE_TLS_CLIENT_KEY", ValueKind::kText, kNoMemcached},
    {"MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION", ValueKind::kBoolean,
     kNoMemcached},
    {"REDIS_CLUSTER_PIPELINE_PARALLELISM", ValueKind::kInteger, kPipeline},
    {"REDIS_HEALTH_CHECK_ACTIVE_CONNECTION", ValueKind::kBoolean,
     "/healthcheck does not depend on Redis; /ready shows its state"},
    {"REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM", ValueKind::kInteger,
     kPipeline},
    {"REDIS_PERSECOND_PIPELINE_LIMIT", ValueKind::kInteger, kPipeline},
    {"REDIS_PERSECOND_PIPELINE_WINDOW", ValueKind::kDuration, kPipeline},
    {"REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR", ValueKind::kPoolBehavior, kPool},
    {"REDIS_PERSECOND_POOL_SIZE", ValueKind::kInteger, kPool},
    {"REDIS_PIPELINE_LIMIT", ValueKind::kInteger, kPipeline},
    {"REDIS_PIPELINE_WINDOW", ValueKind::kDuration, kPipeline},
    {"REDIS_POOL_ON_EMPTY_BEHAVIOR", ValueKind::kPoolBehavior, kPool},
    {"REDIS_POOL_SIZE", ValueKind::kInteger, kPool},
    {"REDIS_STARTUP_INITIAL_INTERVAL", ValueKind::kDuration, kNoWait},
    {"REDIS_STARTUP_MAX_ELAPSED_TIME", ValueKind::kDuration, kNoWait},
    {"REDIS_STARTUP_MAX_INTERVAL", ValueKind::kDuration, kNoWait},
};

// As Go reads it: 0x10 is 16 and 010 is 8.
bool IsInteger(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  (void)std::strtoll(text.c_str(), &end, 0);
  return errno == 0 && end == text.c_str() + text.size() &&
         !absl::ascii_isspace(text[0]);
}

bool IsDuration(const std::string& text) {
  absl::Duration duration;
  return absl::ParseDuration(text, &duration) &&
         duration < absl::InfiniteDuration() &&
         duration > -absl::InfiniteDuration();
}

// The text expected instead of `text`, or null if `text` is good.
const char* Expected(ValueKind kind, const std::string& text) {
  switch (kind) {
    case ValueKind::kText:
      return nullptr;
    case ValueKind::kBoolean:
      return ParseBoolean(text).has_value() ? nullptr : "true or false";
    case ValueKind::kInteger:
      return IsInteger(text) ? nullptr : "a whole number";
    case ValueKind::kDuration:
      return IsDuration(text) ? nullptr
                              : "a duration with its unit, such as 30s or 24h";
    case ValueKind::kPoolBehavior:
      // Like the reference, which cannot do either any more.
      return absl::EqualsIgnoreCase(text, "CREATE") ||
                     absl::EqualsIgnoreCase(text, "ERROR")
                 ? "WAIT"
                 : nullptr;
  }
  return nullptr;
}

}  // namespace

absl::Span<const IgnoredVariable> IgnoredVariables() { return kIgnored; }

void CheckIgnoredVariables(EnvironmentReader& reader) {
  for (const IgnoredVariable& variable : kIgnored) {
    if (reader.HasRead(variable.name)) continue;
    const std::optional<std::string> text = reader.Peek(variable.name);
    if (!text.has_value()) continue;
    if (const char* expected = Expected(variable.kind, *text)) {
      reader.Fail(variable.name, *text, expected);
    }
    reader.Warn(
        absl::StrCat(variable.name, " has no effect: ", variable.reason));
  }
}

}  // namespace rls
