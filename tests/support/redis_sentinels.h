#ifndef RLS_TESTS_SUPPORT_REDIS_SENTINELS_H_
#define RLS_TESTS_SUPPORT_REDIS_SENTINELS_H_

#include <memory>
#include <string>
#include <vector>

#include "support/redis_process.h"

namespace rls {

struct RedisSentinelsOptions {
  int sentinels = 3;  // a majority of them must agree
  // Asked for by the servers, and by the sentinels; "": none.
  std::string password;
  std::string sentinel_password;
};

// A master that is called "m", its replica, and sentinels that watch them:
// ready for a failover when the constructor returns.
//
// Failure: as of RedisProcess.
class RedisSentinels {
 public:
  explicit RedisSentinels(RedisSentinelsOptions options = {});
  RedisSentinels(const RedisSentinels&) = delete;
  RedisSentinels& operator=(const RedisSentinels&) = delete;

  RedisProcess& master() { return *master_; }  // until a failover
  RedisProcess& replica() { return *replica_; }
  RedisProcess& sentinel(size_t number) { return *sentinels_[number]; }

  // Makes the replica the master; it is one when this returns. The old one
  // remains one, too, until the sentinels tell it some ten seconds later.
  void FailOver();

  // Of all sentinels, as in a URL.
  std::string hosts() const;

 private:
  void AddSentinel();
  bool Ready(const RedisProcess& sentinel) const;

  const RedisSentinelsOptions options_;
  std::unique_ptr<RedisProcess> master_;
  std::unique_ptr<RedisProcess> replica_;
  std::vector<std::unique_ptr<RedisProcess>> sentinels_;
};

// "master" or "slave", as ROLE has it; "" when it does not answer.
std::string RoleOf(const RedisProcess& redis);

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_REDIS_SENTINELS_H_
