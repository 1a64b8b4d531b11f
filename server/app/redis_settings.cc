#include "app/redis_settings.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "app/environment.h"

namespace rls {
namespace {

// The bytes of one counter in envoyproxy/ratelimit's local cache.
constexpr size_t kLocalCacheEntryBytes = 64;

// The URL of counters in memory.
constexpr char kMemoryUrl[] = "memory:";

// The end of a warning, after the name of a variable.
constexpr char kBesideMemory[] = " has no effect: BACKEND_TYPE=memory";

RedisCredentials CredentialsOf(absl::string_view auth) {
  const size_t colon = auth.find(':');
  if (colon == absl::string_view::npos) {
    return {.user = "", .password = std::string(auth), .password_file = ""};
  }
  return {.user = std::string(auth.substr(0, colon)),
          .password = std::string(auth.substr(colon + 1)),
          .password_file = ""};
}

// Converts envoyproxy/ratelimit's REDIS_URL to a URL with a scheme. Its forms
// are "master,host:port,..." for sentinels and "host:port,..." for a cluster.
absl::StatusOr<std::string> UrlOf(const RedisServerSettings& settings) {
  const std::string& url = settings.url;
  if (absl::StrContains(url, "://")) return url;
  const std::string type = absl::AsciiStrToLower(settings.type);
  if (type.empty() || type == "single") return url;
  if (type == "cluster") return absl::StrCat("redis+cluster://", url);
  const size_t comma = url.find(',');
  if (comma == std::string::npos) {
    return absl::InvalidArgumentError(
        "a Redis URL of type sentinel: expected master,host:port,...");
  }
  return absl::StrCat("redis+sentinel://", url.substr(comma + 1), "/",
                      url.substr(0, comma));
}

// `prefix` is the prefix of the variables' names.
void ReadServer(EnvironmentReader& reader, const std::string& prefix,
                RedisServerSettings& server) {
  reader.Read((prefix + "URL").c_str(), server.url);
  server.variable_url = server.url;
  const std::string type_name = prefix + "TYPE";
  reader.Read(type_name.c_str(), server.type);
  const std::string type = absl::AsciiStrToLower(server.type);
  if (!type.empty() && type != "single" && type != "sentinel" &&
      type != "cluster") {
    reader.Fail(type_name.c_str(), server.type, "single, sentinel or cluster");
  }
  const std::string socket_name = prefix + "SOCKET_TYPE";
  reader.Read(socket_name.c_str(), server.socket_type);
  absl::AsciiStrToLower(&server.socket_type);
  const std::string& socket_type = server.socket_type;
  if (!socket_type.empty() && socket_type != "unix" && socket_type != "tcp" &&
      socket_type != "tls") {
    reader.Fail(socket_name.c_str(), socket_type, "unix, tcp or tls");
  }
  reader.Read((prefix + "TLS").c_str(), server.tls);
  server.tls |= socket_type == "tls";
  reader.Read((prefix + "AUTH").c_str(), server.auth);
  reader.Read((prefix + "AUTH_FILE").c_str(), server.auth_file);
  reader.Read((prefix + "SENTINEL_AUTH").c_str(), server.sentinel_auth);
}

// envoyproxy/ratelimit would try for ever to reach an address of the other
// kind. The scheme of a URL states its kind itself.
absl::Status CheckSocketType(const RedisServerSettings& server,
                             const RedisTarget& target) {
  const bool is_path = !target.endpoints.front().unix_path.empty();
  if (absl::StrContains(server.url, "://") ||
      target.kind != RedisTarget::Kind::kSingle) {
    return absl::OkStatus();
  }
  if (server.socket_type == "unix" && !is_path) {
    return absl::InvalidArgumentError(
        "a Redis URL of socket type unix: expected the path of a socket; for "
        "host:port set the socket type tcp");
  }
  if (server.socket_type == "tcp" && is_path) {
    return absl::InvalidArgumentError(
        "a Redis URL of socket type tcp: expected host:port; for the path of a "
        "socket set the socket type unix");
  }
  return absl::OkStatus();
}

absl::StatusOr<RedisTarget> TargetOf(const RedisServerSettings& server,
                                     const TlsOptions& tls_options) {
  absl::StatusOr<std::string> url = UrlOf(server);
  if (!url.ok()) return url.status();
  absl::StatusOr<RedisTarget> target = ParseRedisUrl(*url);
  if (!target.ok()) return target.status();
  if (absl::Status fits = CheckSocketType(server, *target); !fits.ok()) {
    return fits;
  }
  if (!server.auth.empty()) target->credentials = CredentialsOf(server.auth);
  if (!server.auth_file.empty()) {
    target->credentials.password_file = server.auth_file;
  }
  if (!server.sentinel_auth.empty()) {
    target->sentinel_credentials = CredentialsOf(server.sentinel_auth);
  }
  if (server.tls || target->tls.has_value()) target->tls = tls_options;
  return target;
}

// The error of a URL, with the flag or variable that states it.
absl::Status Named(absl::string_view name, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", status.message()));
}

// BACKEND_TYPE=memory is our own value. A product that demands a REDIS_URL,
// such as Envoy Gateway, can add it to keep the counters in memory.
void ReadBackend(EnvironmentReader& reader, RedisSettings& settings) {
  std::string backend = "redis";
  reader.Read("BACKEND_TYPE", backend);
  if (backend == "memcache") {
    reader.Fail("BACKEND_TYPE", backend,
                "redis or memory: memcached is not supported");
  } else if (backend != "redis" && backend != "memory") {
    reader.Fail("BACKEND_TYPE", backend, "redis or memory");
  }
  settings.in_memory = backend == "memory";
  if (!settings.in_memory || settings.server.url.empty()) return;
  if (settings.server.url != kMemoryUrl) {
    reader.Warn(absl::StrCat("REDIS_URL", kBesideMemory));
  }
  settings.server.url.clear();
}

}  // namespace

void ReadRedisSettings(EnvironmentReader& reader, RedisSettings& settings) {
  ReadServer(reader, "REDIS_", settings.server);
  ReadBackend(reader, settings);
  reader.Read("REDIS_PERSECOND", settings.has_per_second);
  ReadServer(reader, "REDIS_PERSECOND_", settings.per_second);
  if (settings.in_memory && settings.has_per_second) {
    reader.Warn(absl::StrCat("REDIS_PERSECOND", kBesideMemory));
  }
  reader.Read("REDIS_TLS_CACERT", settings.tls_options.ca_file);
  reader.Read("REDIS_TLS_CLIENT_CERT", settings.tls_options.certificate_file);
  reader.Read("REDIS_TLS_CLIENT_KEY", settings.tls_options.key_file);
  reader.Read("REDIS_TLS_SERVER_NAME", settings.tls_options.server_name);
  bool skip_hostname = false;
  reader.Read("REDIS_TLS_SKIP_HOSTNAME_VERIFICATION", skip_hostname);
  settings.tls_options.verify_hostname = !skip_hostname;

  reader.Read("REDIS_TIMEOUT", settings.store.command_timeout);
  absl::Duration per_second_timeout = settings.store.command_timeout;
  reader.Read("REDIS_PERSECOND_TIMEOUT", per_second_timeout);
  settings.per_second_timeout = per_second_timeout;
  reader.ReadNumber("REDIS_THREADS", 1, 64, settings.store.threads);
  reader.Read("CACHE_KEY_PREFIX", settings.store.key_prefix);
  reader.Read("KEY_HASH_SECRET", settings.store.hash_secret);
  size_t cache_bytes =
      settings.store.deny_cache_entries * kLocalCacheEntryBytes;
  reader.ReadNumber<size_t>("LOCAL_CACHE_SIZE_IN_BYTES", 0, size_t{16} << 30,
                            cache_bytes);
  settings.store.deny_cache_entries = cache_bytes / kLocalCacheEntryBytes;
}

absl::Status SettleMemory(RedisSettings& settings) {
  if (settings.server.url == kMemoryUrl) {
    settings.in_memory = true;
    settings.server.url.clear();
  }
  if (settings.in_memory && !settings.server.url.empty()) {
    return absl::InvalidArgumentError(
        "--redis-url cannot be combined with BACKEND_TYPE=memory");
  }
  return absl::OkStatus();
}

absl::StatusOr<RedisSettings> RedisSettingsWith(const RedisPlace& place,
                                                RedisSettings settings) {
  settings.in_memory |= settings.server.url.empty() && place.url == kMemoryUrl;
  if (settings.in_memory) return settings;
  if (settings.server.url.empty()) settings.server.url = place.url;
  if (settings.server.url.empty()) {
    if (!settings.has_per_second) return settings;
    return absl::InvalidArgumentError(
        "REDIS_PERSECOND: found no REDIS_URL, expected both");
  }
  const auto target = TargetOf(settings.server, settings.tls_options);
  if (settings.server.url == place.url && !target.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(place.origin, ": redis: ", target.status().message()));
  }
  return settings;
}

absl::StatusOr<RedisStoreOptions> RedisOptionsOf(
    const RedisSettings& settings) {
  absl::StatusOr<RedisTarget> target =
      TargetOf(settings.server, settings.tls_options);
  if (!target.ok()) {
    const bool is_variable =
        settings.server.url == settings.server.variable_url;
    return Named(is_variable ? "REDIS_URL" : "--redis-url", target.status());
  }
  if (settings.store.command_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("REDIS_TIMEOUT: expected more than 0");
  }
  RedisStoreOptions options = settings.store;
  options.target = *std::move(target);
  if (!settings.has_per_second) return options;
  if (settings.per_second.url.empty()) {
    return absl::InvalidArgumentError(
        "REDIS_PERSECOND: found no REDIS_PERSECOND_URL, expected both");
  }
  absl::StatusOr<RedisTarget> per_second =
      TargetOf(settings.per_second, settings.tls_options);
  if (!per_second.ok()) {
    return Named("REDIS_PERSECOND_URL", per_second.status());
  }
  if (settings.per_second_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        "REDIS_PERSECOND_TIMEOUT: expected more than 0");
  }
  if (settings.per_second_timeout != options.command_timeout) {
    options.per_second_timeout = settings.per_second_timeout;
  }
  options.per_second = *std::move(per_second);
  return options;
}

}  // namespace rls
