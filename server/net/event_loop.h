#ifndef RLS_NET_EVENT_LOOP_H_
#define RLS_NET_EVENT_LOOP_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace rls {

// Time that never jumps. For timeouts, not for the windows of limits.
using SteadyTime = std::chrono::steady_clock::time_point;
using SteadyDuration = std::chrono::steady_clock::duration;

// A thread's loop over file descriptors, timers and posted tasks.
//
// Threads: any thread may call Post() and Stop(). The other methods, except
// Run(), may be called only on the loop's own thread, or while the loop does
// not run.
// Lifetime: the loop must outlive its Watches and Timers.
class EventLoop {
 public:
  virtual ~EventLoop() = default;

  // Serves until Stop(). All tasks posted before Stop() run first.
  virtual void Run() = 0;
  virtual void Stop() = 0;

  // Runs `task` on the loop's thread, after the tasks posted earlier. Wakes a
  // sleeping loop, at most once for many tasks.
  virtual void Post(absl::AnyInvocable<void()> task) = 0;

  // The time at which this turn began, or at which it started to run posted
  // tasks. While the loop does not run: the current time.
  //
  // The loop is the one place that reads the steady clock for timers and
  // timeouts. It does not use base Clock, because all callbacks of a turn see
  // the same time, and a turn reads the clock at most three times.
  virtual SteadyTime Now() const = 0;

  // The readiness of a descriptor. An error or a hang-up counts as both.
  struct Ready {
    bool readable = false;
    bool writable = false;
  };

  // Calls `ready` in each turn in which the descriptor is ready
  // (level-triggered), until the Watch is destroyed. Does not own the
  // descriptor. Any callback of the loop may destroy it, also its own.
  class Watch {
   public:
    virtual ~Watch() = default;
    // The readiness to wait for. Default: neither.
    virtual void Want(Ready interest) = 0;
  };
  virtual std::unique_ptr<Watch> NewWatch(
      int fd, absl::AnyInvocable<void(Ready)> ready) = 0;

  // Calls `fire` once for each Set(), at its time or later. Any callback of the
  // loop may destroy it or set it again, also its own.
  class Timer {
   public:
    virtual ~Timer() = default;
    virtual void Set(SteadyTime at) = 0;  // replaces an earlier time
    virtual void Cancel() = 0;
  };
  virtual std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> fire) = 0;
};

// Aborts the process if the system gives no epoll or eventfd.
std::unique_ptr<EventLoop> NewEventLoop();

// The loop that runs on the calling thread; null: no loop runs.
EventLoop* RunningLoop();

// Event loops, each with a thread of its own. An object that lives on one of
// the loops is served without a hand-over to another thread.
//
// Threads: Start() and Stop() on the owner's thread only.
// Lifetime: must outlive every object on its loops.
class LoopThreads {
 public:
  explicit LoopThreads(size_t count);
  ~LoopThreads() { Stop(); }
  LoopThreads(const LoopThreads&) = delete;
  LoopThreads& operator=(const LoopThreads&) = delete;

  void Start();
  // Waits for the threads to end. Afterwards nothing runs on the loops.
  void Stop();

  size_t size() const { return loops_.size(); }
  EventLoop& operator[](size_t i) const { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace rls

#endif  // RLS_NET_EVENT_LOOP_H_
