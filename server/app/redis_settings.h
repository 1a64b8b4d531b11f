#ifndef RLS_APP_REDIS_SETTINGS_H_
#define RLS_APP_REDIS_SETTINGS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "app/environment_reader.h"
#include "config/load.h"
#include "store_redis/redis_store.h"

namespace rls {

// Where a Redis is and who we are to it, in the words of envoyproxy/ratelimit's
// environment variables: REDIS_..., or REDIS_PERSECOND_...
struct RedisServerSettings {
  std::string url;
  std::string type;           // _TYPE: single, sentinel or cluster, in any case
  std::string auth;           // _AUTH: password, or user:password
  std::string auth_file;      // _AUTH_FILE: a file with the password
  std::string sentinel_auth;  // _SENTINEL_AUTH, as _AUTH
  bool tls = false;           // _TLS, or _SOCKET_TYPE=tls
};

// What is told of the Redis that keeps the counters.
struct RedisSettings {
  // Its url is REDIS_URL, --redis-url or `redis:`; "": counters are in memory.
  RedisServerSettings server;
  bool has_per_second = false;     // REDIS_PERSECOND
  RedisServerSettings per_second;  // for limits of a second
  TlsOptions tls_options;          // REDIS_TLS_..., of both
  RedisStoreOptions store;         // all but the targets
};

// Reads the variables; the reader keeps the first mistake.
void ReadRedisSettings(EnvironmentReader& reader, RedisSettings& settings);

// The settings with the place that a configuration file names, unless they name
// one themselves.
//
// Failure: as RedisOptionsOf(), with file:line.
absl::StatusOr<RedisSettings> RedisSettingsWith(const RedisPlace& place,
                                                RedisSettings settings);

// The options of the store; `settings.server.url` is not empty.
//
// Failure: INVALID_ARGUMENT, never with a password in it.
absl::StatusOr<RedisStoreOptions> RedisOptionsOf(const RedisSettings& settings);

}  // namespace rls

#endif  // RLS_APP_REDIS_SETTINGS_H_
