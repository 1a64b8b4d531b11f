#ifndef RLS_RPC_LEAN_CALL_SERVICE_H_
#define RLS_RPC_LEAN_CALL_SERVICE_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "rpc/handler.h"
#include "rpc/health.h"
#include "rpc/lean/h2_session.h"
#include "rpc/reflection.h"

namespace rls {

// Answers the calls of one loop: ShouldRateLimit, health and reflection.
//
// Threads: the loop's thread only. If the limiter answers on another thread,
// the service passes the answer to the loop's thread.
// Lifetime: until no call is retained. The dependencies must outlive it.
class CallService final : public CallHandler {
 public:
  struct Dependencies {
    const EventLoop& loop;
    // Runs a task on the loop's thread, and then sends the output.
    std::function<void(std::function<void()>)> post;
    RateLimitHandler& handler;
    const Clock& clock;
    RequestMetrics& metrics;
    size_t max_request_bytes = 0;
  };

  explicit CallService(const Dependencies& dependencies)
      : dependencies_(dependencies) {}
  CallService(const CallService&) = delete;
  CallService& operator=(const CallService&) = delete;

  void Serve(Call& call) override;
  void Closed(Call& call) override;

  // Sets the health status, and sends it to the Watch calls.
  void SetServing(bool serving);
  // Not serving, and every Watch call ends.
  void Stop();

  // Calls that wait for the limiter. Each is retained.
  size_t undecided_calls() const { return undecided_calls_; }

 private:
  // Takes the only message of a call. False: there is not exactly one message;
  // the call was ended with an error.
  bool TakeOnly(Call& call, absl::string_view& message);
  bool TakeNext(Call& call, absl::string_view& message);

  void Decide(Call& call, absl::string_view request);
  void Answer(Call& call, const RateLimitHandler::Answer& answer);
  void HandOver(Call& call);
  void AnswerAll();

  void CheckHealth(Call& call, absl::string_view request);
  void WatchHealth(Call& call, absl::string_view request);
  void Proceed(Call& call, Health::Watch& watch);

  void Reflect(Call& call);

  const Dependencies dependencies_;
  size_t undecided_calls_ = 0;
  bool stopped_ = false;
  Health health_;
  absl::flat_hash_map<Call*, Health::Watch> watches_;
  Reflection reflection_;
  std::vector<Call*> answering_;  // a member to reuse its memory

  Mutex mutex_;
  std::vector<Call*> handed_over_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CALL_SERVICE_H_
