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

// What is told of the Redis that keeps the counters, in the words of
// envoyproxy/ratelimit's environment variables.
struct RedisSettings {
  std::string url;   // REDIS_URL, --redis-url, `redis:`; "": in memory
  std::string type;  // REDIS_TYPE: single, sentinel or cluster, in any case
  std::string auth;  // REDIS_AUTH: password, or user:password
  std::string auth_file;      // REDIS_AUTH_FILE: a file with the password
  std::string sentinel_auth;  // REDIS_SENTINEL_AUTH, as REDIS_AUTH
  bool tls = false;           // REDIS_TLS, or REDIS_SOCKET_TYPE=tls
  TlsOptions tls_options;     // REDIS_TLS_...
  RedisStoreOptions store;    // all but its target
};

// Reads the variables; the reader keeps the first mistake.
void ReadRedisSettings(EnvironmentReader& reader, RedisSettings& settings);

// The settings with the place that a configuration file names, unless they name
// one themselves.
//
// Failure: as RedisOptionsOf(), with file:line.
absl::StatusOr<RedisSettings> RedisSettingsWith(const RedisPlace& place,
                                                RedisSettings settings);

// The options of the store; `settings.url` is not empty.
//
// Failure: INVALID_ARGUMENT, never with a password in it.
absl::StatusOr<RedisStoreOptions> RedisOptionsOf(const RedisSettings& settings);

}  // namespace rls

#endif  // RLS_APP_REDIS_SETTINGS_H_
