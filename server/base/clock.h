#ifndef RLS_BASE_CLOCK_H_
#define RLS_BASE_CLOCK_H_

#include <memory>

#include "absl/time/time.h"

namespace rls {

// The wall clock, as an interface so that a test can turn it by hand.
//
// Threads: Now() may be called by many threads at once.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

std::unique_ptr<Clock> NewSystemClock();

}  // namespace rls

#endif  // RLS_BASE_CLOCK_H_
