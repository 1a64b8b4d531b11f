#ifndef RLS_LIMITER_LIMITER_H_
#define RLS_LIMITER_LIMITER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "metrics/metrics.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// Decides a request: finds the rules, charges the store, judges.
//
// Threads: Check() may be called by many threads at once; `done` may run on any
// thread, even before Check() returns, and runs exactly once.
// Lifetime: `query` and what it views must live until `done` has run; the
// verdict is valid only while `done` runs.
// Failure: FAILED_PRECONDITION (no configuration loaded yet), UNAVAILABLE (the
// store could not answer and the rule says `error`), DEADLINE_EXCEEDED.
class Limiter {
 public:
  using CheckCallback =
      absl::AnyInvocable<void(absl::StatusOr<const Verdict*>)>;

  virtual ~Limiter() = default;
  virtual void Check(const Query& query, CheckCallback done) = 0;
};

struct LimiterParts {
  const RuleBookHolder& rules;
  CounterStore& store;
  CounterStore& local_store;  // for rules that say on_backend_error: local
  int replicas = 1;  // processes like this one, which share such a limit then
  const Clock& clock;
  Metrics& metrics;
};

// The parts must outlive the limiter.
std::unique_ptr<Limiter> NewLimiter(const LimiterParts& parts);

}  // namespace rls

#endif  // RLS_LIMITER_LIMITER_H_
