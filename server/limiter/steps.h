#ifndef RLS_LIMITER_STEPS_H_
#define RLS_LIMITER_STEPS_H_

#include <memory>

#include "base/clock.h"
#include "limiter/flow.h"
#include "metrics/metrics.h"
#include "store/counter_store.h"

namespace rls {

// The steps that need only their place in the flow. The queue, which
// holds requests, has a header of its own. NewLimiter() adds all steps in their
// order.
//
// Lifetime: the arguments must outlive the step.

// Looks up the tiers of users whom the configuration does not list. No thread
// waits for the answers: the request goes on when the last one has come.
std::unique_ptr<Step<Matched>> NewTierLookup(Flow& flow);

// Charges limits of tokens by the costs that descriptors state, reserves
// estimates, and settles reservations by reports of usage
// (docs/decisions/0012-tokens-are-reserved-and-settled.md).
std::unique_ptr<Step<Demand>> NewUsage(Flow& flow, CounterStore& store);

struct WithoutStoreDependencies {
  Flow& flow;
  CounterStore& local_store;  // for rules with `on_backend_error: local`
  int replicas = 1;           // processes that share the limit of such a rule
  const Clock& clock;
  Metrics& metrics;
};

// Decides requests that the store could not answer, by `on_backend_error` of
// their rules.
std::unique_ptr<Step<Taken>> NewWithoutStore(
    const WithoutStoreDependencies& dependencies);

// Lets requests over limits pass on a cheaper model, if all of these limits
// allow it. The other limits are then charged by a second take, together with
// the limits of degraded traffic.
std::unique_ptr<Step<Taken>> NewDegrade(Flow& flow);

// Traced requests get a span for each take: NewTakeBegin() must be the last
// step before the take, and NewTakeEnd() the first one after it.
std::unique_ptr<Step<Demand>> NewTakeBegin(Flow& flow);
std::unique_ptr<Step<Taken>> NewTakeEnd(Flow& flow);

}  // namespace rls

#endif  // RLS_LIMITER_STEPS_H_
