#ifndef RLS_LIMITER_MODES_H_
#define RLS_LIMITER_MODES_H_

#include "limit/charge.h"

namespace rls {

// Settings of the process that change the decisions of all domains. The names
// are those of the variables of envoyproxy/ratelimit.
struct DecisionModes {
  // SHADOW_MODE: no limit refuses a request. The statuses keep their codes.
  bool shadow = false;
  // QUOTA_MODE: a request is refused only if all its descriptors are over. A
  // descriptor without a limit is never over. Unlimited ones do not count.
  bool quota = false;
  // Of domains whose configuration does not state it.
  Accounting default_accounting = Accounting::kAllOrNothing;

  // Whether no limit refuses a request by itself.
  bool observes() const { return shadow || quota; }
};

}  // namespace rls

#endif  // RLS_LIMITER_MODES_H_
