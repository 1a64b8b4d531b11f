#include "net/event_loop.h"

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "base/thread_part.h"
#include "net/poller.h"
#include "net/timers.h"

namespace rls {
namespace {

using std::chrono::steady_clock;
using Task = absl::AnyInvocable<void()>;

thread_local EventLoop* running_loop = nullptr;

// Aligned, as loops are made one after another, and each writes to its lock in
// every turn.
class alignas(kCacheLine) EpollLoop final : public EventLoop {
 public:
  EpollLoop() = default;

  // Tasks that never ran may own watches and timers, and post when they go.
  ~EpollLoop() override {
    do {
      tasks_.clear();
      MutexLock lock(&mutex_);
      tasks_.swap(posted_);
    } while (!tasks_.empty());
  }

  void Run() override {
    running_ = true;
    running_loop = this;
    now_ = steady_clock::now();
    do {
      poller_.Wait(TimeToWait());
      asleep_.store(false, std::memory_order_relaxed);
      now_ = steady_clock::now();
      poller_.Dispatch();
      timers_.Fire(now_);
    } while (RunPosted());
    running_ = false;
    running_loop = nullptr;
  }

  void Stop() override {
    MutexLock lock(&mutex_);
    stopped_ = true;
    WakeIfAsleep();
  }

  void Post(Task task) override {
    MutexLock lock(&mutex_);
    posted_.push_back(std::move(task));
    WakeIfAsleep();
  }

  SteadyTime Now() const override {
    return running_ ? now_ : steady_clock::now();
  }

  std::unique_ptr<Watch> NewWatch(
      int fd, absl::AnyInvocable<void(Ready)> ready) override {
    return poller_.NewWatch(fd, std::move(ready));
  }

  std::unique_ptr<Timer> NewTimer(Task fire) override {
    return timers_.NewTimer(std::move(fire));
  }

 private:
  // Under the lock, so that whom this wakes cannot destroy the loop before the
  // caller has left it.
  void WakeIfAsleep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!asleep_.load(std::memory_order_relaxed)) return;
    asleep_.store(false, std::memory_order_relaxed);
    poller_.Wake();
  }

  // From here on Post() and Stop() wake the loop, if it is going to wait.
  std::optional<SteadyDuration> TimeToWait() {
    {
      MutexLock lock(&mutex_);
      if (stopped_ || !posted_.empty()) return SteadyDuration::zero();
      asleep_.store(true, std::memory_order_relaxed);
    }
    if (timers_.empty()) return std::nullopt;
    // Not now_: a turn that took long would make the next timer late.
    const SteadyTime now = steady_clock::now();
    return timers_.first() > now ? timers_.first() - now
                                 : SteadyDuration::zero();
  }

  // False when it was stopped.
  bool RunPosted() {
    bool stopped = false;
    {
      MutexLock lock(&mutex_);
      tasks_.swap(posted_);
      stopped = std::exchange(stopped_, false);
    }
    // What is posted was decided before now: a task that counts from now on
    // must not count from the beginning of the turn.
    if (!tasks_.empty()) now_ = std::chrono::steady_clock::now();
    for (Task& task : tasks_) {
      task();
      task = nullptr;  // what it holds is not needed until the last has run
    }
    tasks_.clear();
    return !stopped;
  }

  // Own synchronisation.
  Poller poller_;
  // Whether the loop waits, or is about to, without looking at `posted_` again.
  // Set under `mutex_`; cleared without, at worst for a wake-up too many.
  std::atomic<bool> asleep_{false};

  // Of the loop's thread.
  Timers timers_;
  std::vector<Task> tasks_;
  SteadyTime now_;
  bool running_ = false;

  Mutex mutex_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

EventLoop* RunningLoop() { return running_loop; }

std::unique_ptr<EventLoop> NewEventLoop() {
  return std::make_unique<EpollLoop>();
}

}  // namespace rls
