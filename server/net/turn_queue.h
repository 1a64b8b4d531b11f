#ifndef RLS_NET_TURN_QUEUE_H_
#define RLS_NET_TURN_QUEUE_H_

#include <cstddef>
#include <deque>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace rls {

// Runs long steps of many objects on one loop, for example the TLS handshakes
// of its connections: in the order of arrival, and at most a few in one turn.
// Between them the loop serves its other objects.
//
// Threads: the loop's thread only.
// Lifetime: outlives its places, and the task that it has posted to the loop:
// after the last place is destroyed, at most one such task is left.
class TurnQueue {
 public:
  // One object's place in the queue.
  class Place {
   public:
    // `step` may destroy the place, and may invoke Join().
    Place(TurnQueue& queue, absl::AnyInvocable<void()> step);
    ~Place();  // leaves the queue
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // Runs `step` once, in a later turn or at the end of this turn. Without
    // effect if the place already waits.
    void Join();

   private:
    friend class TurnQueue;

    TurnQueue& queue_;
    absl::AnyInvocable<void()> step_;
    bool waits_ = false;
  };

  TurnQueue(EventLoop& loop, size_t steps_per_turn)
      : loop_(loop), steps_per_turn_(steps_per_turn) {}
  TurnQueue(const TurnQueue&) = delete;
  TurnQueue& operator=(const TurnQueue&) = delete;

 private:
  void RunLater();
  void Run();

  EventLoop& loop_;
  const size_t steps_per_turn_;
  std::deque<Place*> waiting_;  // null: has left
  Place* running_ = nullptr;    // in its step; null: destroyed
  bool will_run_ = false;
};

}  // namespace rls

#endif  // RLS_NET_TURN_QUEUE_H_
