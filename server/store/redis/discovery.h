#ifndef RLS_STORE_REDIS_DISCOVERY_H_
#define RLS_STORE_REDIS_DISCOVERY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "net/endpoint.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "store/redis/connection.h"
#include "store/redis/redis_target.h"
#include "store/redis/reply.h"

namespace rls {

// A master with a fixed address.
std::unique_ptr<EndpointSource> NewConstantSource(Endpoint endpoint);

struct SentinelOptions {
  std::vector<Endpoint> sentinels;
  std::string master_name;
  RedisCredentials credentials;  // for the sentinels
};

// Looks up the master at the sentinels. Each Find() begins with another
// sentinel, and continues with the next one if a sentinel does not answer or
// does not know the master. A sentinel is ignored if it has missed a failover
// that another sentinel has reported before.
//
// Source: Redis, "Guidelines for Redis clients with support for Redis
// Sentinel".
std::unique_ptr<EndpointSource> NewSentinelSource(
    const StreamDependencies& parts, SentinelOptions options);

// Sends the same commands to one server after the other until one server has
// given acceptable replies to all commands. Each server gets a new session and
// a limited time.
//
// Threads: the loop's only.
class Enquiry {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Receives the reply to commands[number], which may be an error reply. OK
    // accepts the reply; the last accepted reply ends the enquiry. Any other
    // status moves on to the next server, beginning with the first command.
    virtual absl::Status OnReply(const Endpoint& from, size_t number,
                                 const ReplyView& reply) = 0;
    // The enquiry has ended: OK if one server gave all replies, otherwise the
    // UNAVAILABLE of the last server. May start the next enquiry.
    virtual void OnOver(const absl::Status& status) = 0;
  };

  // `commands` are complete commands: see Command(). The members of `parts` and
  // `owner` must outlive the enquiry.
  Enquiry(const StreamDependencies& parts, RedisCredentials credentials,
          std::vector<std::string> commands, Owner& owner);
  Enquiry(const Enquiry&) = delete;
  Enquiry& operator=(const Enquiry&) = delete;

  // `servers` has at least one element. Replaces an enquiry that is running.
  void Start(std::vector<Endpoint> servers);
  bool running() const { return running_; }

 private:
  void OnTimer();
  void TryNextServer();
  void OnReply(size_t number, const ReplyView& reply);
  void Over(const absl::Status& status);

  const StreamDependencies parts_;
  const RedisCredentials credentials_;
  const std::vector<std::string> commands_;
  Owner& owner_;
  // Ends the wait for a server, and moves on to the next one. The timer does
  // that because a session must not be replaced within its own callback.
  const std::unique_ptr<EventLoop::Timer> timer_;

  std::vector<Endpoint> servers_;
  size_t tried_ = 0;  // the number of servers_ tried so far
  bool running_ = false;
  absl::Status last_error_;
  std::unique_ptr<Session> session_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_DISCOVERY_H_
