#ifndef RLS_TESTS_FAKE_CLOCK_H_
#define RLS_TESTS_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "base/clock.h"

namespace rls {

// A clock that a test turns by hand. It starts at a whole hour, so that window
// edges are easy to name.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override {
    return absl::FromUnixNanos(now_ns_.load());
  }
  void Advance(absl::Duration by) { now_ns_ += absl::ToInt64Nanoseconds(by); }
  void Set(absl::Time now) { now_ns_ = absl::ToUnixNanos(now); }

 private:
  std::atomic<int64_t> now_ns_{1'700'002'800'000'000'000};
};

}  // namespace rls

#endif  // RLS_TESTS_FAKE_CLOCK_H_
