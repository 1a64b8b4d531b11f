#ifndef RLS_LIMITER_LIMITER_H_
#define RLS_LIMITER_LIMITER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "limiter/modes.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// Decides requests: finds the rules, charges the store, makes the verdict.
//
// A request over a limit that queues is held until its slot comes. Its answer
// comes then. If a reload changes its domain, it is decided anew.
//
// Threads: Check() may be called by many threads at once. `done` runs exactly
// once, on any thread, perhaps before Check() returns.
// Lifetime: `query` and all that it views must live until `done` has run. The
// verdict is valid only while `done` runs.
// Failure: FAILED_PRECONDITION (no configuration is loaded yet), UNAVAILABLE
// (the store could not answer and a rule has `on_backend_error: error`),
// DEADLINE_EXCEEDED, CANCELLED (the client left while the request was held).
class Limiter {
 public:
  using CheckCallback =
      absl::AnyInvocable<void(absl::StatusOr<const Verdict*>)>;

  virtual ~Limiter() = default;
  virtual void Check(const Query& query, CheckCallback done) = 0;

  // The process ends in `grace`. Requests that are held for longer are refused
  // now, and later requests are not held for longer.
  virtual void Drain(absl::Duration grace) = 0;
};

struct LimiterDependencies {
  RuleBookHolder& rules;
  EventLoop& loop;  // holds requests; must run as long as any may be held
  CounterStore& store;
  CounterStore& local_store;  // for rules with `on_backend_error: local`
  int replicas = 1;           // processes that share the limit of such a rule
  DecisionModes modes;
  const Clock& clock;
  Metrics& metrics;
  // True: the takes of a traced request are spans of their own.
  bool traces_takes = false;
};

// Lifetime: the dependencies must outlive the limiter. The limiter must not be
// destroyed while a Check() is not answered or the loop runs.
std::unique_ptr<Limiter> NewLimiter(const LimiterDependencies& dependencies);

}  // namespace rls

#endif  // RLS_LIMITER_LIMITER_H_
