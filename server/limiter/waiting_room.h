#ifndef RLS_LIMITER_WAITING_ROOM_H_
#define RLS_LIMITER_WAITING_ROOM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "limiter/flow.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"

namespace rls {

// A charge of a request, and the slot that it has booked.
struct BookedSlot {
  size_t charge = 0;
  absl::Time slot;
};

// A request that has booked slots and waits for the last of them. Its query has
// a Caller.
struct HeldRequest {
  Taken request;
  std::vector<BookedSlot> booked;
  absl::Duration wait;
};

// Gives booked slots back to the store in the order of the calls. The number of
// slots under way at once is bounded: a crowd that leaves does not take the
// store's time from other requests.
//
// Threads: the loop's only.
// Lifetime: it must not be destroyed before all `then` have run.
class SlotReturns {
 public:
  using Then = absl::AnyInvocable<void(HeldRequest)>;

  SlotReturns(EventLoop& loop, CounterStore& store)
      : loop_(loop), store_(store) {}
  SlotReturns(const SlotReturns&) = delete;
  SlotReturns& operator=(const SlotReturns&) = delete;

  // Gives back `held.booked`. `then` gets the request when the store has
  // answered, never before this returns.
  void Add(HeldRequest held, Then then);

 private:
  struct Return {
    HeldRequest held;
    Then then;
  };

  void Send();

  EventLoop& loop_;
  CounterStore& store_;
  std::deque<Return> waiting_;
  size_t under_way_ = 0;
};

// Holds requests until the slot comes that they have booked. One timer serves
// all of them, and no thread waits. If a request leaves early, the requests
// behind it in the same counter and process move up by one slot, and the last
// of these slots goes back to the store.
//
// Threads: Hold(), held(), Drain() and Recall() may be called by any thread.
// Requests go on, on the loop's thread.
// Lifetime: the room must not be destroyed before it is empty, nor while the
// loop runs.
class WaitingRoom {
 public:
  using Stale = absl::AnyInvocable<bool(const Taken&)>;

  WaitingRoom(Flow& flow, EventLoop& loop, CounterStore& store,
              Metrics& metrics);
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  // Lets the request proceed after its wait. If `max_queued` requests are held
  // already, the request is refused and counted in `full`.
  void Hold(HeldRequest held, int64_t max_queued, Counter& full);

  int64_t held() const { return held_.load(std::memory_order_relaxed); }

  // Refuses requests whose slot comes later than `grace` from now: those that
  // are held, and those that come later.
  void Drain(absl::Duration grace);

  // Gives back the slots of requests for which `stale` is true, and restarts
  // these requests in the order in which they came. Also holds for requests
  // that come later, until the next call.
  void Recall(Stale stale);

 private:
  // The counter, "" for a request with several booked slots; its slot there;
  // the number of the request in order of arrival.
  using Place = std::tuple<std::string, absl::Time, uint64_t>;
  struct Guest {
    HeldRequest held;
    SteadyTime since;
    SteadyTime due;
  };
  using Guests = std::map<Place, Guest>;

  void Add(HeldRequest held);
  // Gives back the slots of a request that never became a guest.
  void TurnAway(HeldRequest held, SlotReturns::Then then);
  void Refuse(HeldRequest held, absl::Duration retry_after);
  void SetTimer();
  void OnTimer();
  void Leave(uint64_t number);
  // Removes the guest and moves up the guests behind it. Of the result,
  // `held.booked` is to be given back.
  Guest TakeOut(Guests::iterator guest);
  Guest Remove(Guests::iterator guest);
  // Of guests behind the free `slot`: the first one moves into it, the first
  // one of the next slot into the slot that became free, and so on. Returns
  // the slot that is free in the end.
  absl::Time MoveUp(const std::string& counter, absl::Time slot, SteadyTime due,
                    int64_t cost);
  // The slots of a guest as they are now, after other guests have left.
  static void UpdateSlot(Guests::value_type& guest);
  void RestartRecalled();

  Flow& flow_;
  EventLoop& loop_;
  Gauge& queued_;
  Counter& left_;
  Histogram& waits_;
  std::atomic<int64_t> held_{0};
  // Used by the loop's thread only:
  SlotReturns returns_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  uint64_t next_number_ = 0;
  Guests guests_;
  std::map<uint64_t, Guests::iterator> by_number_;
  std::set<std::pair<SteadyTime, uint64_t>> by_due_;
  SteadyTime end_ = SteadyTime::max();  // set by Drain()
  Stale stale_;                         // of the last Recall()
  // Requests to restart, in order of arrival. None restarts before all of a
  // recall, `recalling_`, have given back their slots.
  std::map<uint64_t, HeldRequest> recalled_;
  size_t recalling_ = 0;
  const std::unique_ptr<EventLoop::Timer> pace_;
};

}  // namespace rls

#endif  // RLS_LIMITER_WAITING_ROOM_H_
