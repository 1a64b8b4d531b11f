#ifndef RLS_LIMITER_TIER_QUESTION_H_
#define RLS_LIMITER_TIER_QUESTION_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "limiter/decision.h"

namespace rls {

// Asks the decision's tier source, which it must have, for all its users at
// once, and hands it on with their tiers. It is held without a thread: `told`
// runs on whichever thread the last answer comes, maybe before this returns.
void AskTiers(std::unique_ptr<Decision> decision,
              absl::AnyInvocable<void(std::unique_ptr<Decision>)> told);

}  // namespace rls

#endif  // RLS_LIMITER_TIER_QUESTION_H_
