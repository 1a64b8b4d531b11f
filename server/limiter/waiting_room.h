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
#include "limiter/decision.h"
#include "limiter/slot_returns.h"
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
  using Again = absl::AnyInvocable<void(std::unique_ptr<Decision>)>;
  using Stale = absl::AnyInvocable<bool(const Decision&)>;

  // `again` decides anew, on the loop's thread.
  WaitingRoom(EventLoop& loop, CounterStore& store, Metrics& metrics,
              Again again);
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  // Serves `decision` after its wait(); its query has a caller. If more are
  // held than its rule allows, it is refused, and counted in `full`.
  void Hold(std::unique_ptr<Decision> decision, Counter& full);

  int64_t held() const { return held_.load(std::memory_order_relaxed); }

  // Refuses those whose slot comes later than `grace` from now, also those that
  // come later.
  void Drain(absl::Duration grace);

  // Gives back the slots of those that `stale` names, also of those that come
  // later, and has them decided anew, in the order in which they came.
  void Recall(Stale stale);

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
  // One that is not to be held: refuses it, or has it decided anew.
  void TurnAway(std::unique_ptr<Decision> decision, SlotReturns::Then then);
  void SetTimer();
  void OnTimer();
  void Leave(uint64_t number);
  // Takes it out, those behind it moved up; what it has to give back.
  Guest TakeOut(Guests::iterator guest, std::vector<Decision::Booked>& slots);
  Guest Remove(Guests::iterator guest);
  // As it is now, whoever has moved up.
  static std::vector<Decision::Booked> SlotsOf(const Guests::value_type& guest);
  void AskAgain();

  EventLoop& loop_;
  Again again_;
  Gauge& queued_;
  Counter& left_;
  Histogram& waits_;
  std::atomic<int64_t> held_{0};
  // Of the loop's thread alone.
  SlotReturns returns_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  uint64_t next_number_ = 0;
  Guests guests_;
  std::map<uint64_t, Guests::iterator> by_number_;
  std::set<std::pair<SteadyTime, uint64_t>> by_due_;
  SteadyTime end_ = SteadyTime::max();  // since Drain()
  Stale stale_;                         // of the last Recall()
  // To be decided anew, in order of arrival, and how many of a recall are still
  // to give their slots back before.
  std::map<uint64_t, std::unique_ptr<Decision>> recalled_;
  size_t recalling_ = 0;
  const std::unique_ptr<EventLoop::Timer> pace_;
};

}  // namespace rls

#endif  // RLS_LIMITER_WAITING_ROOM_H_
