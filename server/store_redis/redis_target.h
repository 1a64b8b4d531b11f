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

// Who we are to a Redis.
struct RedisCredentials {
  std::string user;  // "" for Redis' default user
  std::string password;
  // Read at each connection, so that a changed secret is taken up; wins over
  // `password`.
  std::string password_file;

  // The password to use now; "" for none. The file's errors as of ReadFile().
  absl::StatusOr<std::string> CurrentPassword() const;
};

// Who we are to a server that has counters, and where in it they are.
struct RedisAccess {
  RedisCredentials credentials;
  int database = 0;
};

// Where the counters live.
struct RedisTarget {
  enum class Kind { kSingle, kSentinel, kCluster };

  Kind kind = Kind::kSingle;
  // The server; the sentinels; some nodes of the cluster.
  std::vector<Endpoint> endpoints;
  std::string master_name;  // of kSentinel
  RedisCredentials credentials;
  RedisCredentials sentinel_credentials;
  int database = 0;
  std::optional<TlsOptions> tls;
};

// Reads what a URL can say of a target:
//   redis://user:password@host:port/1     database 1; rediss:// is over TLS
//   unix://user:password@/path?db=1
//   redis+sentinel://host,host/master/1   the hosts are sentinels; the user and
//                                         password are those of the master
//   redis+cluster://host,host             some nodes of the cluster
//   host:port or /path                    as envoyproxy/ratelimit has it
// The last two also as rediss+sentinel:// and rediss+cluster://. All but the
// hosts is optional; a lone word before the "@" is the password. User,
// password, path and master may have any bytes as %XX.
//
// Failure: INVALID_ARGUMENT that says what was expected; never with a password
// in it.
absl::StatusOr<RedisTarget> ParseRedisUrl(absl::string_view url);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REDIS_TARGET_H_
