#ifndef RLS_LIMITER_FLOW_H_
#define RLS_LIMITER_FLOW_H_

#include <vector>

#include "absl/status/status.h"
#include "limiter/modes.h"
#include "limiter/phases.h"
#include "limiter/query.h"
#include "metrics/metrics.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// A step handles one concern (tiers, usage, queue, ...) of requests in one
// phase. A step owns the request while it runs and passes it on with exactly
// one method of Flow, at once or later, on any thread.
//
// Threads: both methods may be called by many threads at once.
template <typename InPhase>
class Step {
 public:
  virtual ~Step() = default;
  // Whether the step must run for the request. Must be cheap: it is called for
  // every request.
  virtual bool Concerns(const InPhase& request) const = 0;
  virtual void Run(InPhase request) = 0;
};

// Moves requests from phase to phase: match, steps for Matched, plan, steps for
// Demand, take, steps for Taken, conclude.
//
// Threads: every method but Add() may be called by many threads at once.
// Lifetime: rules, store, metrics and steps must outlive the flow, and the flow
// every request.
class Flow {
 public:
  Flow(const RuleBookHolder& rules, CounterStore& store,
       const DecisionModes& modes, Metrics& metrics);
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  // Adds a step after those that were added for the same phase. Call before the
  // first Start().
  void Add(Step<Matched>& step) { matched_steps_.push_back(&step); }
  void Add(Step<Demand>& step) { demand_steps_.push_back(&step); }
  void Add(Step<Taken>& step) { taken_steps_.push_back(&step); }

  // As Limiter::Check().
  void Start(const Query& query, Phase::DoneCallback done);

  // For steps: passes the request to the next step that it concerns, or to the
  // next phase if there is none.
  void Proceed(Matched request);
  void Proceed(Demand request);
  void Proceed(Taken request);

  // Takes the charges; then all steps for Taken run, the first one first.
  void Take(Demand request);
  // Gives the verdict without a visit to the later steps.
  void Answer(Taken request);
  // Gives an error instead of a verdict.
  void Fail(Taken request, const absl::Status& status);
  // Decides the request anew, by the rules of today.
  void Restart(Taken request);

 private:
  const RuleBookHolder& rules_;
  CounterStore& store_;
  const DecisionModes modes_;
  Counter& unknown_domain_;
  Counter& shadowed_;
  Statistics* const statistics_;  // null: they are off
  std::vector<Step<Matched>*> matched_steps_;
  std::vector<Step<Demand>*> demand_steps_;
  std::vector<Step<Taken>*> taken_steps_;
};

}  // namespace rls

#endif  // RLS_LIMITER_FLOW_H_
