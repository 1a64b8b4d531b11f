#ifndef RLS_TESTS_FAKE_LOOP_H_
#define RLS_TESTS_FAKE_LOOP_H_

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "fake_clock.h"
#include "net/event_loop.h"
#include "net/timers.h"

namespace rls {

// An event loop with a fake clock. Posted tasks run at once; timers and watches
// run when the test calls FireTimers() and Dispatch().
//
// Threads: one thread only.
class FakeLoop final : public EventLoop {
 public:
  explicit FakeLoop(const FakeClock& clock) : clock_(clock) {}

  void Run() override {}
  void Stop() override {}

  void Post(absl::AnyInvocable<void()> task) override {
    tasks_.push_back(std::move(task));
    if (std::exchange(running_, true)) return;
    while (!tasks_.empty()) {
      absl::AnyInvocable<void()> next = std::move(tasks_.front());
      tasks_.pop_front();
      next();
    }
    running_ = false;
  }

  SteadyTime Now() const override {
    return SteadyTime(absl::ToChronoNanoseconds(clock_.Elapsed()));
  }

  std::unique_ptr<Watch> NewWatch(
      int fd, absl::AnyInvocable<void(Ready)> ready) override {
    return std::make_unique<HandWatch>(*this, fd, std::move(ready));
  }
  std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> fire) override {
    return timers_.NewTimer(std::move(fire));
  }

  // Fires the timers that are due.
  void FireTimers() { timers_.Fire(Now()); }
  // The time of the next timer.
  SteadyTime FirstTimer() const {
    return timers_.empty() ? SteadyTime::max() : timers_.first();
  }

  // One turn: calls each watch whose descriptor is ready. False if no watch was
  // called.
  bool Dispatch() {
    bool called = false;
    for (HandWatch* const watch : std::vector(watches_)) {
      // The callback of another watch may have destroyed this watch.
      if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end())
        continue;
      called |= watch->CallIfReady();
    }
    return called;
  }

 private:
  class HandWatch final : public Watch {
   public:
    HandWatch(FakeLoop& loop, int fd, absl::AnyInvocable<void(Ready)> ready)
        : loop_(loop),
          fd_(fd),
          ready_(std::make_shared<absl::AnyInvocable<void(Ready)>>(
              std::move(ready))) {
      loop_.watches_.push_back(this);
    }
    ~HandWatch() override {
      loop_.watches_.erase(
          std::find(loop_.watches_.begin(), loop_.watches_.end(), this));
    }

    void Want(Ready interest) override { interest_ = interest; }

    bool CallIfReady() {
      pollfd polled = {fd_, 0, 0};
      if (interest_.readable) polled.events |= POLLIN;
      if (interest_.writable) polled.events |= POLLOUT;
      // Without any interest, not even a hang-up is reported.
      if (polled.events == 0) return false;
      if (poll(&polled, 1, 0) != 1) return false;
      const bool ended = (polled.revents & (POLLERR | POLLHUP)) != 0;
      const auto ready = ready_;  // a copy: the callback may destroy the watch
      (*ready)({.readable = ended || (polled.revents & POLLIN) != 0,
                .writable = ended || (polled.revents & POLLOUT) != 0});
      return true;
    }

   private:
    FakeLoop& loop_;
    const int fd_;
    const std::shared_ptr<absl::AnyInvocable<void(Ready)>> ready_;
    Ready interest_;
  };

  const FakeClock& clock_;
  Timers timers_;
  std::vector<HandWatch*> watches_;
  std::deque<absl::AnyInvocable<void()>> tasks_;
  bool running_ = false;
};

}  // namespace rls

#endif  // RLS_TESTS_FAKE_LOOP_H_
