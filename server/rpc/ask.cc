#include "rpc/ask.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace rls {

RateLimitHandler::Reply Ask(RateLimitHandler& handler,
                            absl::string_view request, absl::Time deadline) {
  RateLimitHandler::Reply reply;
  absl::Notification done;
  handler.ShouldRateLimit(request, deadline,
                          [&](RateLimitHandler::Reply answer) {
                            reply = std::move(answer);
                            done.Notify();
                          });
  done.WaitForNotification();
  return reply;
}

}  // namespace rls
