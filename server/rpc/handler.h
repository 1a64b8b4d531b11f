#ifndef RLS_RPC_HANDLER_H_
#define RLS_RPC_HANDLER_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "limiter/limiter.h"
#include "rpc/answer_settings.h"

namespace rls {

class VerdictWriter;

// ShouldRateLimit from bytes to bytes, for any transport.
//
// Threads: ShouldRateLimit() may be called by many threads at once.
class RateLimitHandler {
 public:
  struct Reply {
    absl::Status status;
    std::string response;  // RateLimitResponse, serialized, when status is ok
    bool over_limit = false;  // its overall_code
  };
  // The reply is valid only while this runs.
  using ReplyCallback = absl::AnyInvocable<void(const Reply&)>;

  // `limiter` and `clock` must outlive the handler.
  RateLimitHandler(Limiter& limiter, const Clock& clock,
                   AnswerSettings settings);
  ~RateLimitHandler();
  RateLimitHandler(const RateLimitHandler&) = delete;
  RateLimitHandler& operator=(const RateLimitHandler&) = delete;

  // `request` is a serialized RateLimitRequest; its strings may hold any bytes,
  // as header values of gateways do. It must live until `done` has run, which
  // may be on any thread, and before this returns; and so must `caller`, which
  // is told when nobody waits for the answer any more. Null: the answer is
  // never held.
  //
  // Failure: INVALID_ARGUMENT (the text names the field), DEADLINE_EXCEEDED
  // (nothing was charged if it had passed on arrival), and the limiter's codes.
  void ShouldRateLimit(absl::string_view request, absl::Time deadline,
                       Caller* caller, ReplyCallback done);

 private:
  Limiter& limiter_;
  const Clock& clock_;
  const std::unique_ptr<const VerdictWriter> writer_;
};

}  // namespace rls

#endif  // RLS_RPC_HANDLER_H_
