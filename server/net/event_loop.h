#ifndef RLS_NET_EVENT_LOOP_H_
#define RLS_NET_EVENT_LOOP_H_

#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"

namespace rls {

// Time that never jumps: for timeouts, not for windows.
using SteadyTime = std::chrono::steady_clock::time_point;
using SteadyDuration = std::chrono::steady_clock::duration;

// One thread's loop over file descriptors, timers and posted tasks.
//
// Threads: Post() and Stop() may be called by any thread; everything else,
// Run() apart, only on the loop's own thread while it runs, or while it does
// not run at all.
// Lifetime: the loop outlives every Watch and Timer of it.
class EventLoop {
 public:
  virtual ~EventLoop() = default;

  // Serves until Stop(). Tasks posted before Stop() have all run.
  virtual void Run() = 0;
  virtual void Stop() = 0;

  // Runs `task` on the loop's thread, after what is already posted. From
  // another thread it wakes the loop, at most once for many tasks.
  virtual void Post(absl::AnyInvocable<void()> task) = 0;

  // The time when this turn began, or when it came to what was posted: one or
  // two clock readings a turn.
  virtual SteadyTime Now() const = 0;

  // What a descriptor is ready for; an error or hang-up counts as both.
  struct Ready {
    bool readable = false;
    bool writable = false;
  };

  // Tells when a descriptor is ready, level-triggered, from its making to its
  // destruction. It does not own the descriptor. It may be destroyed by any
  // callback of the loop, its own included.
  class Watch {
   public:
    virtual ~Watch() = default;
    // What to wait for; at first nothing.
    virtual void Want(Ready interest) = 0;
  };
  virtual std::unique_ptr<Watch> NewWatch(
      int fd, absl::AnyInvocable<void(Ready)> ready) = 0;

  // Calls `fire` once for each Set(), not before its time. It may be destroyed
  // or set again by any callback of the loop, its own included.
  class Timer {
   public:
    virtual ~Timer() = default;
    virtual void Set(SteadyTime at) = 0;  // replaces an earlier one
    virtual void Cancel() = 0;
  };
  virtual std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> fire) = 0;
};

// Fails by CHECK when the system gives no epoll or eventfd.
std::unique_ptr<EventLoop> NewEventLoop();

// The one whose Run() the calling thread is in; null: none.
EventLoop* RunningLoop();

}  // namespace rls

#endif  // RLS_NET_EVENT_LOOP_H_
