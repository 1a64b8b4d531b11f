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

// An event loop on a clock that a test turns: what is posted runs at once, and
// timers and descriptors when the test says so. One thread.
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

  // Fires what is due by now.
  void FireTimers() { timers_.Fire(Now()); }
  // When the next timer is due.
  SteadyTime FirstTimer() const {
    return timers_.empty() ? SteadyTime::max() : timers_.first();
  }

  // One turn: tells each watch of what its descriptor is ready for by now.
  // False when there was nothing to tell.
  bool Dispatch() {
    bool told = false;
    for (HandWatch* const watch : std::vector(watches_)) {
      // Another may have ended it.
      if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end())
        continue;
      told |= watch->Tell();
    }
    return told;
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

    bool Tell() {
      pollfd polled = {fd_, 0, 0};
      if (interest_.readable) polled.events |= POLLIN;
      if (interest_.writable) polled.events |= POLLOUT;
      if (poll(&polled, 1, 0) != 1) return false;
      const bool ended = (polled.revents & (POLLERR | POLLHUP)) != 0;
      const auto ready = ready_;  // which it may destroy
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
