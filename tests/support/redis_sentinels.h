#ifndef RLS_TESTS_SUPPORT_REDIS_SENTINELS_H_
#define RLS_TESTS_SUPPORT_REDIS_SENTINELS_H_

#include <memory>
#include <string>
#include <vector>

#include "support/redis_process.h"

namespace rls {

struct RedisSentinelsOptions {
  int sentinels = 3;  // a majority must agree on a failover
  // The passwords of the servers and of the sentinels. "": no password.
  std::string password;
  std::string sentinel_password;
};

// A master named "m", its replica, and sentinels that watch them. All are ready
// for a failover when the constructor returns.
//
// Failure: see RedisProcess.
class RedisSentinels {
 public:
  explicit RedisSentinels(RedisSentinelsOptions options = {});
  RedisSentinels(const RedisSentinels&) = delete;
  RedisSentinels& operator=(const RedisSentinels&) = delete;

  RedisProcess& master() { return *master_; }  // until a failover
  RedisProcess& replica() { return *replica_; }
  RedisProcess& sentinel(size_t number) { return *sentinels_[number]; }

  // Makes the replica a master before it returns. The old master also stays a
  // master until the sentinels change it about ten seconds later.
  void FailOver();

  // The addresses of all sentinels, as in a URL.
  std::string hosts() const;

 private:
  void AddSentinel();
  bool Ready(const RedisProcess& sentinel) const;

  const RedisSentinelsOptions options_;
  std::unique_ptr<RedisProcess> master_;
  std::unique_ptr<RedisProcess> replica_;
  std::vector<std::unique_ptr<RedisProcess>> sentinels_;
};

// "master" or "slave", as the ROLE command returns it. "" if the server does
// not answer.
std::string RoleOf(const RedisProcess& redis);

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_REDIS_SENTINELS_H_
