#ifndef RLS_TESTS_SUPPORT_WAIT_UNTIL_H_
#define RLS_TESTS_SUPPORT_WAIT_UNTIL_H_

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

namespace rls {

// Polls until `holds` gives true; false, and a failed test, when it never does.
template <typename Condition>
bool WaitUntil(const std::string& what, Condition holds) {
  // For what a healthy machine does in seconds; reached only by a failure.
  constexpr std::chrono::seconds kPatience(60);
  const auto end = std::chrono::steady_clock::now() + kPatience;
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
