#ifndef RLS_STORE_REDIS_CONNECTION_H_
#define RLS_STORE_REDIS_CONNECTION_H_

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/stream.h"
#include "store_redis/endpoint_source.h"
#include "store_redis/redis_target.h"
#include "store_redis/reply.h"
#include "store_redis/script_call.h"
#include "store_redis/session.h"

namespace rls {

// The connection to one master, made again for as long as it lives: after an
// end it waits a little, longer each time and never in step with others, asks
// where the master is, finds the address anew, proves who it is and loads the
// scripts. While it lasts it asks every second whether the master is still
// there, answers, and is a master: a replica is never asked for anything.
//
// Threads: its loop's only.
class Connection final {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnReady() = 0;
    // It was ready, or tried to be, and is not. It will try again.
    virtual void OnBroken(const absl::Status& why) = 0;
  };

  // The parts, `source` and `owner` must outlive it.
  Connection(const StreamParts& parts, RedisAccess access,
             EndpointSource& source, Owner& owner);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins the first attempt.
  void Open();

  bool ready() const { return state_ == State::kReady; }
  // Of the last attempt.
  const Endpoint& endpoint() const { return endpoint_; }

  // The name under which this server has the script.
  absl::string_view sha(Script script) const {
    return shas_[static_cast<size_t>(script)];
  }

  // Only while ready; as of Session.
  void Send(absl::string_view command, Session::ReplyCallback done) {
    session_->Send(command, std::move(done));
  }
  void Flush() {
    if (session_ != nullptr) session_->Flush();
  }

  // It does what it is for: after an end the next attempt comes soon. Without
  // this a server that lets us in and refuses to work is tried less and less.
  void Proven() { failures_ = 0; }

  // Ends the connection, or the attempt, and tries again.
  void Break(const absl::Status& why);

 private:
  // Asks for the place; connects and introduces itself; serves; waits.
  enum class State { kResting, kFinding, kConnecting, kReady };

  void OnTimer();
  void OnFound(absl::StatusOr<Endpoint> found);
  void Introduce();
  void CheckRole(const ReplyView& hello);
  void BecomeReady();
  void Beat();
  void OnEnded(const absl::Status& why);

  const StreamParts parts_;
  const RedisAccess access_;
  EndpointSource& source_;
  Owner& owner_;
  // Of an attempt, a pause, or the next question.
  const std::unique_ptr<EventLoop::Timer> timer_;

  State state_ = State::kResting;
  Endpoint endpoint_;
  std::unique_ptr<Session> session_;  // an ended one stays until the next
  std::vector<std::string> shas_ = std::vector<std::string>(kScripts);
  bool beat_answered_ = false;
  int failures_ = 0;  // ends since it was last proven
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_CONNECTION_H_
