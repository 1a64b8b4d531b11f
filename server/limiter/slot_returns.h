#ifndef RLS_LIMITER_SLOT_RETURNS_H_
#define RLS_LIMITER_SLOT_RETURNS_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "limiter/decision.h"
#include "net/event_loop.h"
#include "store/counter_store.h"

namespace rls {

// Gives slots back to the store, in the order in which it is told, so many at a
// time that a crowd which leaves takes no store's time from others.
//
// Threads: its loop's only.
// Lifetime: it must not be destroyed before all `then` have run.
class SlotReturns {
 public:
  using Then = absl::AnyInvocable<void(std::unique_ptr<Decision>)>;

  SlotReturns(EventLoop& loop, CounterStore& store)
      : loop_(loop), store_(store) {}
  SlotReturns(const SlotReturns&) = delete;
  SlotReturns& operator=(const SlotReturns&) = delete;

  // `then` gets the decision when the store has been told, never before this
  // returns.
  void Add(std::unique_ptr<Decision> decision,
           std::vector<Decision::Booked> slots, Then then);

 private:
  struct Return {
    std::unique_ptr<Decision> decision;
    std::vector<Decision::Booked> slots;
    Then then;
  };

  void Send();

  EventLoop& loop_;
  CounterStore& store_;
  std::deque<Return> waiting_;
  size_t on_their_way_ = 0;
};

}  // namespace rls

#endif  // RLS_LIMITER_SLOT_RETURNS_H_
