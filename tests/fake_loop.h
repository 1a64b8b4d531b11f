#ifndef RLS_TESTS_FAKE_LOOP_H_
#define RLS_TESTS_FAKE_LOOP_H_

#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "fake_clock.h"
#include "net/event_loop.h"
#include "net/timers.h"

namespace rls {

// An event loop on a clock that a test turns: what is posted runs at once, and
// timers when the test says so. No descriptors, and one thread.
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

  std::unique_ptr<Watch> NewWatch(int,
                                  absl::AnyInvocable<void(Ready)>) override {
    return nullptr;
  }
  std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> fire) override {
    return timers_.NewTimer(std::move(fire));
  }

  // Fires what is due by now.
  void FireTimers() { timers_.Fire(Now()); }

 private:
  const FakeClock& clock_;
  Timers timers_;
  std::deque<absl::AnyInvocable<void()>> tasks_;
  bool running_ = false;
};

}  // namespace rls

#endif  // RLS_TESTS_FAKE_LOOP_H_
