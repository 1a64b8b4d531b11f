#ifndef RLS_LIMITER_LIMITER_H_
#define RLS_LIMITER_LIMITER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// Decides a request: finds the rules, charges the store, judges.
//
// A request over a limit that queues is held until its slot comes, and its
// answer with it; on a reload that changes its domain it is decided anew.
//
// Threads: Check() may be called by many threads at once; `done` may run on any
// thread, even before Check() returns, and runs exactly once.
// Lifetime: `query` and what it views must live until `done` has run; the
// verdict is valid only while `done` runs.
// Failure: FAILED_PRECONDITION (no configuration loaded yet), UNAVAILABLE (the
// store could not answer and the rule says `error`), DEADLINE_EXCEEDED,
// CANCELLED (the caller went away while it was held).
class Limiter {
 public:
  using CheckCallback =
      absl::AnyInvocable<void(absl::StatusOr<const Verdict*>)>;

  virtual ~Limiter() = default;
  virtual void Check(const Query& query, CheckCallback done) = 0;

  // The process is to end in `grace`: whoever is held for longer is refused
  // now, and nobody who comes later is held for longer.
  virtual void Drain(absl::Duration grace) = 0;
};

struct LimiterParts {
  RuleBookHolder& rules;
  EventLoop& loop;  // holds what waits; runs as long as anything may wait
  CounterStore& store;
  CounterStore& local_store;  // for rules that say on_backend_error: local
  int replicas = 1;  // processes like this one, which share such a limit then
  const Clock& clock;
  Metrics& metrics;
};

// The parts must outlive the limiter, which must not be destroyed while a
// Check() is not answered or the loop runs.
std::unique_ptr<Limiter> NewLimiter(const LimiterParts& parts);

}  // namespace rls

#endif  // RLS_LIMITER_LIMITER_H_
