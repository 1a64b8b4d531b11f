#ifndef RLS_NET_TIMERS_H_
#define RLS_NET_TIMERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace rls {

// The timers of an EventLoop: a binary heap. Each timer knows its place in the
// heap, so that setting and cancelling cost O(log n) and leave nothing behind.
//
// Threads: one thread only.
class Timers {
 public:
  Timers() = default;
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  std::unique_ptr<EventLoop::Timer> NewTimer(absl::AnyInvocable<void()> fire);

  bool empty() const { return heap_.empty(); }
  SteadyTime first() const { return heap_[0].at; }  // not when empty()

  // Fires the timers that are due at `now`, the earliest first; timers of equal
  // time fire in the order of their Set(). A timer that a callback sets waits
  // for the next Fire(), so that a timer that always sets itself again does not
  // delay the others.
  void Fire(SteadyTime now);

 private:
  class HeapTimer;
  struct Entry {
    SteadyTime at;
    uint64_t sequence = 0;
    HeapTimer* timer = nullptr;
  };

  static bool Before(const Entry& a, const Entry& b);
  void Add(HeapTimer& timer, SteadyTime at);
  void Remove(size_t place);
  void Put(size_t place, const Entry& entry);
  void Sift(size_t place, const Entry& entry);

  std::vector<Entry> heap_;
  uint64_t next_sequence_ = 0;
  SteadyTime fired_until_ = SteadyTime::min();
  HeapTimer* running_ = nullptr;  // in its callback; null: destroyed
};

}  // namespace rls

#endif  // RLS_NET_TIMERS_H_
