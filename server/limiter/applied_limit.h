#ifndef RLS_LIMITER_APPLIED_LIMIT_H_
#define RLS_LIMITER_APPLIED_LIMIT_H_

#include <cstdint>

#include "limit/charge.h"
#include "limiter/verdict.h"

namespace rls {

// One limit of one descriptor, and the state of that limit after the take.
struct AppliedLimit {
  int64_t cost = 0;         // units asked for; negative: a refund
  uint32_t descriptor = 0;  // index into Query::descriptors
  ChargeKind kind = ChargeKind::kEnforce;
  // A later report corrects the charge of this limit.
  bool settled_later = false;
  // The limit is exceeded, but its rule is a shadow rule.
  bool shadowed = false;
  bool from_memory = false;  // Outcome::from_memory
  int64_t left_before = 0;   // Outcome::left_before
  // `status.policy` is null if the limit does not apply, for example because
  // the store is away and the rule allows all requests meanwhile.
  LimitStatus status;
};

}  // namespace rls

#endif  // RLS_LIMITER_APPLIED_LIMIT_H_
