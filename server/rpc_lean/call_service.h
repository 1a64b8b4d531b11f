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
#include "rpc/health_words.h"
#include "rpc/reflection.h"
#include "rpc/request_metrics.h"
#include "rpc_lean/h2_session.h"

namespace rls {

// Answers the calls of one loop: ShouldRateLimit, health and reflection.
//
// Threads: the loop's only. Answers of the limiter may come on any thread, and
// are brought to the loop's.
// Lifetime: until no call is held; the parts outlive it.
class CallService final : public CallHandler {
 public:
  struct Parts {
    const EventLoop& loop;
    // Does something on the loop's thread, and then sends what came of it.
    std::function<void(std::function<void()>)> post;
    RateLimitHandler& handler;
    const Clock& clock;
    RequestMetrics& metrics;
    size_t max_request_bytes = 0;
  };

  explicit CallService(const Parts& parts) : parts_(parts) {}
  CallService(const CallService&) = delete;
  CallService& operator=(const CallService&) = delete;

  void Serve(Call& call) override;
  void Closed(Call& call) override;

  // What health says; watchers are told.
  void SetServing(bool serving);
  // Tells every watcher that nothing is served any more, and ends it.
  void Stop();

  // Calls that wait for the limiter.
  size_t held() const { return held_; }

 private:
  struct Watcher {
    std::string service;
    HealthStatus told;
  };

  // The one message of a call. False: the call was ended, as it is none.
  bool TakeOnly(Call& call, absl::string_view& message);
  bool TakeNext(Call& call, absl::string_view& message);
  void Decide(Call& call, absl::string_view request);
  void Reply(Call& call, const RateLimitHandler::Reply& reply);
  void BringBack(Call& call);
  void ReplyToAll();
  void CheckHealth(Call& call, absl::string_view request);
  void Reflect(Call& call);

  const Parts parts_;
  size_t held_ = 0;
  bool serving_ = false;
  bool stopped_ = false;
  absl::flat_hash_map<Call*, Watcher> watchers_;
  Reflection reflection_;
  std::vector<Call*> replying_;  // kept for its memory

  Mutex mutex_;
  std::vector<Call*> brought_back_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CALL_SERVICE_H_
