#ifndef RLS_ADMIN_FAILURE_H_
#define RLS_ADMIN_FAILURE_H_

#include "absl/status/status.h"
#include "http/http_handler.h"

namespace rls {

inline constexpr char kPlainText[] = "text/plain; charset=utf-8";

// Answers a request that could not be decided: 400 for INVALID_ARGUMENT, else
// 503.
inline void SendFailure(const absl::Status& status, HttpReply& reply) {
  reply.Send({.status = absl::IsInvalidArgument(status) ? 400 : 503,
              .type = kPlainText,
              .body = status.message()});
}

}  // namespace rls

#endif  // RLS_ADMIN_FAILURE_H_
