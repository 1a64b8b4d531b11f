#ifndef RLS_BASE_CLOCK_H_
#define RLS_BASE_CLOCK_H_

#include <memory>

#include "absl/time/time.h"

namespace rls {

// The time, as an interface so that a test can turn it by hand.
//
// Threads: every method may be called by many threads at once.
class Clock {
 public:
  virtual ~Clock() = default;

  // The wall clock's: it can be set, also back.
  virtual absl::Time Now() const = 0;

  // Since some moment in the past; it never jumps. For how long ago a thing
  // was.
  virtual absl::Duration Elapsed() const = 0;
};

std::unique_ptr<Clock> NewSystemClock();

}  // namespace rls

#endif  // RLS_BASE_CLOCK_H_
