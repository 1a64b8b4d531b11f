#ifndef RLS_TESTS_UNIT_NET_FIXTURE_H_
#define RLS_TESTS_UNIT_NET_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>

#include "net/event_loop.h"

namespace rls {

// A loop that runs on the test's own thread until something has happened.
class LoopTest : public ::testing::Test {
 protected:
  // False when it has not happened within a minute.
  bool RunUntil(const std::function<bool()>& happened) {
    const SteadyTime end = loop_->Now() + std::chrono::minutes(1);
    bool seen = false;
    std::unique_ptr<EventLoop::Timer> look;
    look = loop_->NewTimer([&] {
      seen = happened();
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

#endif  // RLS_TESTS_UNIT_NET_FIXTURE_H_
