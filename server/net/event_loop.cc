#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread_shard.h"
#include "net/socket.h"
#include "net/timers.h"

namespace rls {
namespace {

using std::chrono::steady_clock;
using Task = absl::AnyInvocable<void()>;

// Ends the process: a failure here means a limit of the process or a bug of
// ours, and no server works without these calls.
void Require(bool fulfilled, absl::string_view what) {
  if (fulfilled) return;
  LogError(absl::StrCat("event loop: ", what, " failed, errno ", errno));
  std::abort();
}

// Rounded up, because a loop that wakes too early has to wait again.
int MillisecondsOf(SteadyDuration duration) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(duration);
  return static_cast<int>(std::min<int64_t>(rounded.count(), INT_MAX));
}

timespec TimespecOf(SteadyDuration duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  timespec spec = {};
  spec.tv_sec = seconds.count();
  spec.tv_nsec = std::chrono::nanoseconds(duration - seconds).count();
  return spec;
}

// Watches the descriptors of an EventLoop with epoll.
//
// Threads: Wake() may be called by many threads at once, the other methods by
// one thread.
class Poller {
 public:
  Poller();  // aborts if the system gives no epoll or eventfd
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  std::unique_ptr<EventLoop::Watch> NewWatch(
      int fd, absl::AnyInvocable<void(EventLoop::Ready)> ready);

  // Waits until a descriptor is ready, until Wake(), or for `timeout` (nullopt:
  // for ever). It may return early, but not so early that repeated calls keep
  // a core busy.
  void Wait(std::optional<SteadyDuration> timeout);

  // Calls the watches that the last Wait() found ready.
  void Dispatch();

  // Ends the current Wait(), or else the next Wait().
  void Wake();

 private:
  class PollerWatch;

  int WaitFor(std::optional<SteadyDuration> timeout);

  FileDescriptor epoll_;
  FileDescriptor wake_;
  bool nanoseconds_ = false;  // whether the system has epoll_pwait2

  std::array<epoll_event, 128> events_;
  int found_ = 0;                   // the number of events from Wait()
  int next_ = 0;                    // the first event not yet dispatched
  PollerWatch* running_ = nullptr;  // in its callback; null: destroyed
};

class Poller::PollerWatch final : public EventLoop::Watch {
 public:
  PollerWatch(Poller& poller, int fd,
              absl::AnyInvocable<void(EventLoop::Ready)> ready)
      : poller_(poller), fd_(fd), ready_(std::move(ready)) {}

  ~PollerWatch() override {
    PollerWatch::Want({});
    if (poller_.running_ == this) poller_.running_ = nullptr;
    // Discards the events of this turn for this watch.
    for (int i = poller_.next_; i < poller_.found_; ++i) {
      if (poller_.events_[i].data.ptr == this) {
        poller_.events_[i].data.ptr = nullptr;
      }
    }
  }

  // A descriptor without any interest leaves epoll: epoll always reports a
  // hang-up, which would keep the loop awake.
  void Want(EventLoop::Ready interest) override {
    const uint32_t before = wanted_;
    wanted_ = (interest.readable ? uint32_t{EPOLLIN} : 0U) |
              (interest.writable ? uint32_t{EPOLLOUT} : 0U);
    if (wanted_ == before) return;
    epoll_event event = {};
    event.events = wanted_;
    event.data.ptr = this;
    const int change = before == 0    ? EPOLL_CTL_ADD
                       : wanted_ == 0 ? EPOLL_CTL_DEL
                                      : EPOLL_CTL_MOD;
    Require(epoll_ctl(poller_.epoll_.get(), change, fd_, &event) == 0,
            "epoll_ctl");
  }

  void Dispatch(uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) events |= EPOLLIN | EPOLLOUT;
    // Another callback of this turn may have changed the interest.
    if ((events & wanted_) == 0) return;
    // The callback may destroy this object, so it runs from a local variable.
    Poller& poller = poller_;
    auto ready = std::move(ready_);
    poller.running_ = this;
    ready({.readable = (events & EPOLLIN) != 0,
           .writable = (events & EPOLLOUT) != 0});
    if (poller.running_ == this) ready_ = std::move(ready);
  }

 private:
  Poller& poller_;
  const int fd_;
  absl::AnyInvocable<void(EventLoop::Ready)> ready_;
  uint32_t wanted_ = 0;
};

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Require(epoll_.get() >= 0, "epoll_create1");
  Require(wake_.get() >= 0, "eventfd");
  // Edge-triggered: each write causes one event, and no read is necessary.
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  Require(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0,
          "epoll_ctl");
  // Linux before 5.11 has no epoll_pwait2, and some sandboxes forbid it.
  const timespec now = {};
  nanoseconds_ =
      epoll_pwait2(epoll_.get(), events_.data(), 1, &now, nullptr) >= 0;
}

std::unique_ptr<EventLoop::Watch> Poller::NewWatch(
    int fd, absl::AnyInvocable<void(EventLoop::Ready)> ready) {
  return std::make_unique<PollerWatch>(*this, fd, std::move(ready));
}

int Poller::WaitFor(std::optional<SteadyDuration> timeout) {
  const int most = static_cast<int>(events_.size());
  if (!timeout.has_value()) {
    return epoll_wait(epoll_.get(), events_.data(), most, -1);
  }
  if (!nanoseconds_ || *timeout == SteadyDuration::zero()) {
    return epoll_wait(epoll_.get(), events_.data(), most,
                      MillisecondsOf(*timeout));
  }
  const timespec spec = TimespecOf(*timeout);
  return epoll_pwait2(epoll_.get(), events_.data(), most, &spec, nullptr);
}

void Poller::Wait(std::optional<SteadyDuration> timeout) {
  next_ = 0;
  found_ = WaitFor(timeout);
  Require(found_ >= 0 || errno == EINTR, "epoll_wait");
}

void Poller::Dispatch() {
  while (next_ < found_) {
    const epoll_event& event = events_[next_++];
    // Null: Wake(), or a watch that was destroyed in this turn.
    auto* const watch = static_cast<PollerWatch*>(event.data.ptr);
    if (watch != nullptr) watch->Dispatch(event.events);
  }
  next_ = found_ = 0;
}

void Poller::Wake() {
  // Fails only after 2^64 - 2 wake-ups.
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof(one));
}

thread_local EventLoop* running_loop = nullptr;

// Aligned to cache lines, because loops are allocated one after another and
// each writes to its lock in every turn.
class alignas(kCacheLine) EpollLoop final : public EventLoop {
 public:
  EpollLoop() = default;

  // Tasks that never ran may own watches and timers, and may post other tasks
  // in their destructors.
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
  // Under the lock: the thread that this wakes may destroy the loop, but not
  // before the caller has released the lock.
  void WakeIfAsleep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!asleep_.load(std::memory_order_relaxed)) return;
    asleep_.store(false, std::memory_order_relaxed);
    poller_.Wake();
  }

  // From here on, Post() and Stop() wake the loop if it is about to wait.
  std::optional<SteadyDuration> TimeToWait() {
    {
      MutexLock lock(&mutex_);
      if (stopped_ || !posted_.empty()) return SteadyDuration::zero();
      asleep_.store(true, std::memory_order_relaxed);
    }
    if (timers_.empty()) return std::nullopt;
    // Not now_: after a long turn, now_ is old and the next timer would be
    // late.
    const SteadyTime now = steady_clock::now();
    return timers_.first() > now ? timers_.first() - now
                                 : SteadyDuration::zero();
  }

  // False if the loop was stopped.
  bool RunPosted() {
    bool stopped = false;
    {
      MutexLock lock(&mutex_);
      tasks_.swap(posted_);
      stopped = std::exchange(stopped_, false);
    }
    // A timeout that a task sets must start now, not at the beginning of the
    // turn, which was before the task was posted.
    if (!tasks_.empty()) now_ = steady_clock::now();
    for (Task& task : tasks_) {
      task();
      task = nullptr;  // frees the objects that the task owns
    }
    tasks_.clear();
    return !stopped;
  }

  // Own synchronisation.
  Poller poller_;
  // Whether the loop waits, or is about to wait without another look at
  // `posted_`. Set under `mutex_`. Cleared also without the lock: the worst
  // result is one unnecessary wake-up.
  std::atomic<bool> asleep_{false};

  // The loop's thread only.
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

LoopThreads::LoopThreads(size_t count) {
  for (size_t i = 0; i < count; ++i) loops_.push_back(NewEventLoop());
}

void LoopThreads::Start() {
  for (const auto& loop : loops_) {
    threads_.emplace_back([&loop] {
      ClaimShard();
      loop->Run();
    });
  }
}

void LoopThreads::Stop() {
  if (threads_.empty()) return;
  for (const auto& loop : loops_) loop->Stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace rls
