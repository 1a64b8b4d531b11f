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

// One Redis server and how to speak to it.
struct RedisServer {
  Endpoint endpoint;
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

// Reads redis://, rediss:// (TLS), unix://, redis+sentinel://host,host/master,
// redis+cluster://host,host, or the host:port or path of envoyproxy/ratelimit.
// User, password and database as in redis://user:password@host:port/1.
//
// Failure: INVALID_ARGUMENT that says what was expected; never with a password
// in it.
absl::StatusOr<RedisTarget> ParseRedisUrl(absl::string_view url);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REDIS_TARGET_H_
