#include "rpc/ask.h"

#include <latch>

namespace rls {

RateLimitHandler::Reply Ask(RateLimitHandler& handler,
                            absl::string_view request, absl::Time deadline) {
  RateLimitHandler::Reply reply;
  std::latch done(1);
  handler.ShouldRateLimit(request, deadline, nullptr,
                          [&](const RateLimitHandler::Reply& answer) {
                            reply = answer;
                            done.count_down();
                          });
  done.wait();
  return reply;
}

}  // namespace rls
