#ifndef RLS_TESTS_SUPPORT_WAIT_UNTIL_H_
#define RLS_TESTS_SUPPORT_WAIT_UNTIL_H_

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

namespace rls {

// Polls until `holds()` is true. If that takes more than a minute, the test
// fails and the result is false.
template <typename Condition>
bool WaitUntil(const std::string& what, Condition holds) {
  // A healthy machine needs seconds; only a failure takes the whole time.
  constexpr std::chrono::seconds kMaxWait(60);
  const auto end = std::chrono::steady_clock::now() + kMaxWait;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << "never came: " << what;
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_WAIT_UNTIL_H_
