#ifndef RLS_RPC_ASK_H_
#define RLS_RPC_ASK_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "rpc/handler.h"

namespace rls {

// ShouldRateLimit for a thread that can wait: blocks until the handler is done.
// The handler answers by `deadline`, as every wait behind it is bounded by it.
RateLimitHandler::Reply Ask(RateLimitHandler& handler,
                            absl::string_view request, absl::Time deadline);

}  // namespace rls

#endif  // RLS_RPC_ASK_H_
