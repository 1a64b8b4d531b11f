#ifndef RLS_STORE_REDIS_CONNECTION_H_
#define RLS_STORE_REDIS_CONNECTION_H_

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/endpoint.h"
#include "net/stream.h"
#include "store/redis/redis_target.h"
#include "store/redis/reply.h"
#include "store/redis/script_call.h"

namespace rls {

// One network connection to one server: sends commands and receives the replies
// in the same order. Commands that are sent before the connection is
// established are kept until then.
//
// Threads: the loop's only.
// Lifetime: must not be destroyed within its callbacks. After its destruction
// no callback runs.
class Session final : private StreamHandler {
 public:
  using ReplyCallback =
      absl::AnyInvocable<void(const absl::StatusOr<ReplyView>&)>;
  using EndCallback = absl::AnyInvocable<void(const absl::Status& why)>;

  // Begins to connect. `ended` runs once, when the session ends for any reason,
  // with UNAVAILABLE that names the server and the reason.
  Session(const StreamDependencies& parts, Endpoint endpoint,
          EndCallback ended);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  bool open() const { return stream_ != nullptr; }

  // Queues a command until Flush(). `done` receives the reply, or UNAVAILABLE
  // if the session ends before the reply. Only while open().
  void Send(absl::string_view command, ReplyCallback done);
  // As Send(), for a command that must succeed: an error reply ends the
  // session, and `ok` does not run.
  void Require(absl::string_view command,
               absl::AnyInvocable<void(const ReplyView&)> ok);
  // Queues AUTH if there is a password. An unreadable password file ends the
  // session.
  void Authenticate(const RedisCredentials& credentials);
  // Sends the queued commands.
  void Flush();

  // Does nothing if the session has already ended.
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

// Knows the address of the master that a Connection needs. The connection looks
// the address up before each attempt to connect, and repeatedly while it is
// connected.
//
// Threads: the loop's only.
// Lifetime: after its destruction the callback of a pending Find() never runs.
class EndpointSource {
 public:
  using FoundCallback = absl::AnyInvocable<void(absl::StatusOr<Endpoint>)>;

  virtual ~EndpointSource() = default;

  // `done` may run before Find() returns. A new Find() replaces a pending one,
  // whose `done` then never runs.
  //
  // Failure: UNAVAILABLE if the address cannot be found.
  virtual void Find(FoundCallback done) = 0;
};

// A permanent connection to a master: connects again after each failure.
//
// An attempt finds the master's address, resolves and connects it,
// authenticates, checks that the server is a master, and loads the scripts.
// After a failure the connection pauses; the pauses grow and are random, so
// that replicas do not retry in step. While it is connected, it checks every
// second that the server still answers, is still a master, and is still the
// master that the source names. A replica is never used.
//
// Threads: the loop's only.
class Connection final {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnReady() = 0;
    // The connection, or the attempt to connect, has failed. The next attempt
    // follows automatically.
    virtual void OnBroken(const absl::Status& why) = 0;
    // The commands that the scripts need and the user has no right to run,
    // separated by spaces; "" if it has all rights. Runs after OnReady(), and
    // again when the rights may have changed.
    virtual void OnMissingRights(absl::string_view commands) = 0;
  };

  // The members of `parts`, `source` and `owner` must outlive the connection.
  Connection(const StreamDependencies& parts, RedisAccess access,
             EndpointSource& source, Owner& owner);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins the first attempt.
  void Open();

  bool ready() const { return state_ == State::kReady; }
  // The server of the last attempt.
  const Endpoint& endpoint() const { return endpoint_; }

  // The hash of a script on this server, for EVALSHA.
  absl::string_view sha(Script script) const {
    return shas_[static_cast<size_t>(script)];
  }

  // See Session::Send(). Only while ready().
  void Send(absl::string_view command, Session::ReplyCallback done) {
    session_->Send(command, std::move(done));
  }
  void Flush() {
    if (session_ != nullptr) session_->Flush();
  }

  // Reports that the server has done useful work, which resets the pauses
  // between attempts. Without this report the pauses keep growing, so a server
  // that accepts connections but does no work is tried less and less often.
  void Proven() { failures_ = 0; }

  // Asks for the rights of the user again, with the next check of the server.
  void DoubtRights() { doubts_rights_ = true; }

  // Ends the connection or the attempt. The next attempt follows automatically.
  void Break(const absl::Status& why);

 private:
  // kResting: pauses before the next attempt. kFinding: looks up the address.
  // kConnecting: connects and prepares the session. kReady: serves.
  enum class State { kResting, kFinding, kConnecting, kReady };

  void OnTimer();
  void OnFound(absl::StatusOr<Endpoint> found);
  void Prepare();
  void CheckRole(const ReplyView& hello);
  void BecomeReady();
  void AskRights();
  void OnRights(const absl::StatusOr<ReplyView>& reply);
  void Beat();
  void OnEnded(const absl::Status& why);

  const StreamDependencies parts_;
  const RedisAccess access_;
  EndpointSource& source_;
  Owner& owner_;
  // The end of the attempt, the end of the pause, or the next check.
  const std::unique_ptr<EventLoop::Timer> timer_;

  State state_ = State::kResting;
  Endpoint endpoint_;
  std::unique_ptr<Session> session_;  // an ended session stays until the next
  std::vector<std::string> shas_ = std::vector<std::string>(kScripts);
  bool beat_answered_ = false;
  bool doubts_rights_ = false;
  int failures_ = 0;  // since the last Proven()
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_CONNECTION_H_
