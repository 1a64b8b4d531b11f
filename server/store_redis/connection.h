#ifndef RLS_STORE_REDIS_CONNECTION_H_
#define RLS_STORE_REDIS_CONNECTION_H_

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/stream.h"
#include "store_redis/redis_target.h"
#include "store_redis/reply.h"
#include "store_redis/script_call.h"

namespace rls {

// One connection to one Redis, made again for as long as it lives: after an
// end it waits a little, longer each time and never in step with others, finds
// the address anew, proves who it is and loads the scripts.
//
// Threads: its loop's only.
class Connection final : public StreamHandler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnReady() = 0;
    // It was ready, or tried to be, and is not. It will try again.
    virtual void OnBroken(const absl::Status& why) = 0;
  };

  using ReplyCallback =
      absl::AnyInvocable<void(const absl::StatusOr<ReplyView>&)>;

  // The parts and `owner` must outlive it.
  Connection(const StreamParts& parts, RedisServer server, Owner& owner);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins the first attempt.
  void Open();

  bool ready() const { return ready_; }
  const RedisServer& server() const { return server_; }

  // The name under which this server has the script.
  absl::string_view sha(Script script) const {
    return shas_[static_cast<size_t>(script)];
  }

  // Only while ready: queues a command; Flush() sends what is queued. `done`
  // hears the reply, or UNAVAILABLE when the connection ends before it, in the
  // order of the commands; it must not destroy the connection, and hears
  // nothing when that is destroyed.
  void Send(absl::string_view command, ReplyCallback done);
  void Flush();

  // Ends the connection and tries again.
  void Break(const absl::Status& why);

 private:
  void OnConnected() override;
  void OnBytes(absl::string_view bytes) override;
  void OnClosed(const absl::Status& why) override;

  void Introduce();
  void Expect(absl::string_view command,
              absl::AnyInvocable<void(const ReplyView&)> ok);
  void BecomeReady();
  void RetryLater();

  const StreamParts parts_;
  const RedisServer server_;
  Owner& owner_;
  const std::unique_ptr<EventLoop::Timer> timer_;  // of an attempt, or a pause

  std::unique_ptr<Stream> stream_;
  std::optional<ReplyReader> reader_;
  std::deque<ReplyCallback> waiting_;
  std::string unsent_;
  std::vector<std::string> shas_ = std::vector<std::string>(kScripts);
  bool ready_ = false;
  bool resting_ = false;  // the timer ends a pause, not an attempt
  int failures_ = 0;      // in a row
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_CONNECTION_H_
