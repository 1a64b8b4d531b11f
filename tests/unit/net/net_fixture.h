#ifndef RLS_TESTS_UNIT_NET_NET_FIXTURE_H_
#define RLS_TESTS_UNIT_NET_NET_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>

#include "net/event_loop.h"

namespace rls {

// An event loop that runs on the test's own thread until a condition holds.
class LoopTest : public ::testing::Test {
 protected:
  // False if the condition does not hold within a minute.
  bool RunUntil(const std::function<bool()>& holds) {
    const SteadyTime end = loop_->Now() + std::chrono::minutes(1);
    bool seen = false;
    std::unique_ptr<EventLoop::Timer> look;
    look = loop_->NewTimer([&] {
      seen = holds();
      if (seen || loop_->Now() > end) {
        loop_->Stop();
      } else {
        look->Set(loop_->Now() + std::chrono::milliseconds(1));
      }
    });
    look->Set(loop_->Now());
    loop_->Run();
    return seen;
  }

  const std::unique_ptr<EventLoop> loop_ = NewEventLoop();
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_NET_NET_FIXTURE_H_
