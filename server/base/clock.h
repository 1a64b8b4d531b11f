#ifndef RLS_BASE_CLOCK_H_
#define RLS_BASE_CLOCK_H_

#include <memory>

#include "absl/time/time.h"

namespace rls {

// The time. An interface, so that a test can set it by hand.
//
// Threads: every method may be called by many threads at once.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall clock time. It can jump, also backwards.
  virtual absl::Time Now() const = 0;

  // The time since a fixed moment in the past. It never jumps. Use it to
  // measure durations.
  virtual absl::Duration Elapsed() const = 0;
};

std::unique_ptr<Clock> NewSystemClock();

}  // namespace rls

#endif  // RLS_BASE_CLOCK_H_
