#ifndef RLS_STORE_REDIS_ENQUIRY_H_
#define RLS_STORE_REDIS_ENQUIRY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "store_redis/redis_target.h"
#include "store_redis/reply.h"
#include "store_redis/session.h"

namespace rls {

// Asks servers the same questions, one server after the other, until one has
// answered them all to our satisfaction. Each gets a connection of its own and
// a bound of time.
//
// Threads: its loop's only.
class Enquiry {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The reply to questions[number], which may be an error. OK: it is of use,
    // and after the last one the enquiry is over; else the next server is
    // asked from the first question on.
    virtual absl::Status OnAnswer(const Endpoint& from, size_t number,
                                  const ReplyView& reply) = 0;
    // The enquiry is over; OK when one server has answered all, else
    // UNAVAILABLE as of the last server. It may start another one.
    virtual void OnOver(const absl::Status& status) = 0;
  };

  // `questions` are whole commands. The parts and `owner` must outlive it.
  Enquiry(const StreamParts& parts, RedisCredentials credentials,
          std::vector<std::string> questions, Owner& owner);
  Enquiry(const Enquiry&) = delete;
  Enquiry& operator=(const Enquiry&) = delete;

  // Of one server or more; forgets an enquiry that is under way.
  void Start(std::vector<Endpoint> servers);
  // Whether one is under way.
  bool running() const { return running_; }

 private:
  void OnTimer();
  void AskNext();
  void OnReply(size_t number, const ReplyView& reply);
  void Over(const absl::Status& status);

  const StreamParts parts_;
  const RedisCredentials credentials_;
  const std::vector<std::string> questions_;
  Owner& owner_;
  // Ends the wait for a server, and asks the next one: never within a callback
  // of the session that this one's replaces.
  const std::unique_ptr<EventLoop::Timer> timer_;

  std::vector<Endpoint> servers_;
  size_t asked_ = 0;  // of servers_
  bool running_ = false;
  absl::Status last_error_;
  std::unique_ptr<Session> session_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_ENQUIRY_H_
