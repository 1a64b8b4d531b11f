#ifndef RLS_STORE_REDIS_REDIS_TARGET_H_
#define RLS_STORE_REDIS_REDIS_TARGET_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/endpoint.h"
#include "net/tls.h"

namespace rls {

// The credentials of a connection to Redis.
struct RedisCredentials {
  std::string user;  // "": the default user of Redis
  std::string password;
  // Overrides `password`. Each connection reads the file again, so a changed
  // password needs no restart.
  std::string password_file;

  // The current password. "": no password.
  //
  // Failure: see ReadFile().
  absl::StatusOr<std::string> CurrentPassword() const;
};

// The access to the counters on a server.
struct RedisAccess {
  RedisCredentials credentials;
  int database = 0;
  std::string key_prefix = "";  // of the keys of all counters
};

// The servers that have the counters.
struct RedisTarget {
  enum class Kind { kSingle, kSentinel, kCluster };

  Kind kind = Kind::kSingle;
  // kSingle: the server. kSentinel: the sentinels. kCluster: some of the nodes.
  std::vector<Endpoint> endpoints;
  std::string master_name;  // only of kSentinel
  RedisCredentials credentials;
  RedisCredentials sentinel_credentials;
  int database = 0;
  std::optional<TlsOptions> tls;
};

// Reads a URL:
//   redis://user:password@host:port/1     database 1
//   unix://user:password@/path?db=1
//   redis+sentinel://host,host/master/1   the hosts are sentinels; user and
//                                         password are for the master
//   redis+cluster://host,host             some nodes of the cluster
//   host:port or /path                    as in envoyproxy/ratelimit
// rediss://, rediss+sentinel:// and rediss+cluster:// use TLS. Only the hosts
// are required. A single word before the "@" is the password. User, password,
// path and master may contain any bytes as %XX.
//
// Failure: INVALID_ARGUMENT with the expected format, never with a password.
absl::StatusOr<RedisTarget> ParseRedisUrl(absl::string_view url);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REDIS_TARGET_H_
