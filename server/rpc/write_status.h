#ifndef RLS_RPC_WRITE_STATUS_H_
#define RLS_RPC_WRITE_STATUS_H_

#include <cstdint>
#include <string>

#include "limiter/verdict.h"

namespace rls {

// Appends the status as one of a RateLimitResponse.
void WriteStatus(const LimitStatus& status, std::string& bytes);

// Of a status with a limit. Rounded up: Envoy rounds down, and a reset of 0.4 s
// must not print 0. What never resets is told as one window, the longest that
// makes sense to wait.
int64_t ResetSeconds(const LimitStatus& status);

}  // namespace rls

#endif  // RLS_RPC_WRITE_STATUS_H_
