#ifndef RLS_STORE_REDIS_SESSION_H_
#define RLS_STORE_REDIS_SESSION_H_

#include <deque>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/stream.h"
#include "store_redis/redis_target.h"
#include "store_redis/reply.h"

namespace rls {

// One connection to one server, from its making to its end: commands out, their
// replies back in order. What is sent before it is connected waits.
//
// Threads: its loop's only.
// Lifetime: it must not be destroyed within its callbacks, of which none runs
// after that.
class Session final : private StreamHandler {
 public:
  using ReplyCallback =
      absl::AnyInvocable<void(const absl::StatusOr<ReplyView>&)>;
  using EndCallback = absl::AnyInvocable<void(const absl::Status& why)>;

  // Begins to connect. `ended` hears of the end, once, whoever ended it, with
  // UNAVAILABLE that names the server and the reason.
  Session(const StreamParts& parts, Endpoint endpoint, EndCallback ended);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  bool open() const { return stream_ != nullptr; }

  // Only while open: queues a command; Flush() sends what is queued. `done`
  // hears the reply, or UNAVAILABLE when the session ends before it.
  void Send(absl::string_view command, ReplyCallback done);
  // A command that must succeed: an error ends the session, and then `ok` is
  // not called.
  void Require(absl::string_view command,
               absl::AnyInvocable<void(const ReplyView&)> ok);
  // Says who we are, if there is anything to say. An unreadable password file
  // ends the session.
  void Authenticate(const RedisCredentials& credentials);
  void Flush();

  // Nothing when it has ended already.
  void End(const absl::Status& why);

 private:
  void OnConnected() override {}
  void OnBytes(absl::string_view bytes) override;
  void OnClosed(const absl::Status& why) override;
  void Close(const std::string& why);

  const Endpoint endpoint_;
  EndCallback ended_;
  ReplyReader reader_;
  std::deque<ReplyCallback> waiting_;
  std::string unsent_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_SESSION_H_
