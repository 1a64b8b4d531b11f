#ifndef RLS_APP_REDIS_SETTINGS_H_
#define RLS_APP_REDIS_SETTINGS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config/load.h"
#include "store/redis/redis_store.h"

namespace rls {

class EnvironmentReader;

// The address and the credentials of a Redis, with the names of
// envoyproxy/ratelimit's environment variables: REDIS_..., or
// REDIS_PERSECOND_...
struct RedisServerSettings {
  std::string url;
  std::string variable_url;   // _URL; `url` is another one if a flag or file
                              // states it
  std::string type;           // _TYPE: single, sentinel or cluster, any case
  std::string socket_type;    // _SOCKET_TYPE: unix, tcp, tls or ""
  std::string auth;           // _AUTH: password, or user:password
  std::string auth_file;      // _AUTH_FILE: a file with the password
  std::string sentinel_auth;  // _SENTINEL_AUTH, in the syntax of _AUTH
  bool tls = false;           // _TLS, or _SOCKET_TYPE=tls
};

// The settings of the Redis that stores the counters.
struct RedisSettings {
  // `url` is REDIS_URL, --redis-url or `redis:`. "": counters are in memory.
  RedisServerSettings server;
  // BACKEND_TYPE=memory, or the URL `memory:`. Counters are in memory, whatever
  // `redis:` of a file says.
  bool in_memory = false;
  bool has_per_second = false;        // REDIS_PERSECOND
  RedisServerSettings per_second;     // for limits per second
  absl::Duration per_second_timeout;  // default: that of `store`
  TlsOptions tls_options;             // REDIS_TLS_..., for both servers
  RedisStoreOptions store;            // all options except the targets
};

// Reads the variables. The reader keeps the first error.
void ReadRedisSettings(EnvironmentReader& reader, RedisSettings& settings);

// Replaces the URL `memory:` by `in_memory`. Call it after the flags are read.
//
// Failure: INVALID_ARGUMENT if a flag names a Redis beside BACKEND_TYPE=memory.
absl::Status SettleMemory(RedisSettings& settings);

// Returns `settings` with the URL of `place`, unless `settings` has its own
// URL.
//
// Failure: the failures of RedisOptionsOf(), with file:line.
absl::StatusOr<RedisSettings> RedisSettingsWith(const RedisPlace& place,
                                                RedisSettings settings);

// Returns the options of the store. `settings.server.url` must not be empty.
//
// Failure: INVALID_ARGUMENT. The message never contains a password.
absl::StatusOr<RedisStoreOptions> RedisOptionsOf(const RedisSettings& settings);

}  // namespace rls

#endif  // RLS_APP_REDIS_SETTINGS_H_
