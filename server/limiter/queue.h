#ifndef RLS_LIMITER_QUEUE_H_
#define RLS_LIMITER_QUEUE_H_

#include <memory>

#include "absl/time/time.h"
#include "base/clock.h"
#include "limiter/flow.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// Time that is kept free for the way of an answer to the client: before the
// deadline of a held request, and before the end of the process.
inline constexpr absl::Duration kAnswerTime = absl::Milliseconds(10);

// Lets requests over limits that queue book a slot of a later window, and holds
// them until their slot comes (docs/decisions/0011). A request is never held
// past its deadline, nor past the end of the process. It is not held at all if
// it has no Caller, because then the end of its client goes unnoticed, or if
// `max_queued` requests are held already.
//
// Threads: every method may be called by many threads at once.
// Lifetime: the queue must not be destroyed before all held requests are
// answered, nor while the loop runs.
class Queue : public Step<Demand>, public Step<Taken> {
 public:
  // The process ends in `grace`: requests with a later slot are refused now,
  // and later requests book no later slot.
  virtual void Drain(absl::Duration grace) = 0;

  // The rules have changed: held requests of changed domains give back their
  // slots and are decided anew, in the order in which they came.
  virtual void Recheck(std::shared_ptr<const RuleBook> rules) = 0;
};

struct QueueDependencies {
  Flow& flow;
  EventLoop& loop;  // holds the requests
  CounterStore& store;
  const Clock& clock;
  Metrics& metrics;
};

std::unique_ptr<Queue> NewQueue(const QueueDependencies& dependencies);

}  // namespace rls

#endif  // RLS_LIMITER_QUEUE_H_
