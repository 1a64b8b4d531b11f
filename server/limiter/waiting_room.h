#ifndef RLS_LIMITER_WAITING_ROOM_H_
#define RLS_LIMITER_WAITING_ROOM_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limiter/decision.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"

namespace rls {

// Requests that have booked a slot and are held until it comes: a timer each,
// and no thread. One that does not wait to the end gives its slot back: those
// behind it, of the same counter and in this process, move up, and the last of
// their slots goes to the store.
//
// Threads: Hold(), held(), Drain() and Recall() may be called by any thread;
// answers are given on the loop's.
// Lifetime: it must not be destroyed before all it holds have been answered, or
// while the loop runs.
class WaitingRoom {
 public:
  WaitingRoom(EventLoop& loop, CounterStore& store, Metrics& metrics);
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  // Serves `decision` after its wait(); its query has a caller.
  void Hold(std::unique_ptr<Decision> decision);

  int64_t held() const { return held_.load(std::memory_order_relaxed); }

  // Refuses those whose slot comes later than `grace` from now.
  void Drain(absl::Duration grace);

  // Gives back the slots of those that `stale` names and then hands them, in
  // the order in which they came, to `again`, which decides anew. `stale` runs
  // on the loop's thread, `again` there or on one of the store.
  using Again = absl::AnyInvocable<void(std::unique_ptr<Decision>)>;
  void Recall(absl::AnyInvocable<bool(const Decision&)> stale, Again again);

 private:
  // Its counter, "" for one that has booked several; its slot there; a number
  // in order of arrival.
  using Place = std::tuple<std::string, absl::Time, uint64_t>;
  struct Guest {
    std::unique_ptr<Decision> decision;
    SteadyTime since;
    SteadyTime due;
  };
  using Guests = std::map<Place, Guest>;

  void Add(std::unique_ptr<Decision> decision);
  void SetTimer();
  void OnTimer();
  void Leave(uint64_t number);
  // Takes it out, those behind it moved up; what it has to give back.
  Guest TakeOut(Guests::iterator guest, std::vector<Decision::Booked>& slots);
  Guest Remove(Guests::iterator guest);
  // As it is now, whoever has moved up.
  static std::vector<Decision::Booked> SlotsOf(const Guests::value_type& guest);
  // `then` gets the decision when the store has been told.
  void GiveBack(std::unique_ptr<Decision> decision,
                absl::Span<const Decision::Booked> slots,
                absl::AnyInvocable<void(std::unique_ptr<Decision>)> then);

  EventLoop& loop_;
  CounterStore& store_;
  Gauge& queued_;
  Counter& left_;
  Histogram& waits_;
  std::atomic<int64_t> held_{0};
  // Of the loop's thread alone.
  const std::unique_ptr<EventLoop::Timer> timer_;
  uint64_t next_number_ = 0;
  Guests guests_;
  std::map<uint64_t, Guests::iterator> by_number_;
  std::set<std::pair<SteadyTime, uint64_t>> by_due_;
};

}  // namespace rls

#endif  // RLS_LIMITER_WAITING_ROOM_H_
