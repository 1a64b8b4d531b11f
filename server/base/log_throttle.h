#ifndef RLS_BASE_LOG_THROTTLE_H_
#define RLS_BASE_LOG_THROTTLE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace rls {

// For a warning that each request may give: logs one in an interval and says
// how many there were.
//
// Threads: Warn() may be called by many threads at once.
class LogThrottle {
 public:
  // `clock` must outlive it.
  LogThrottle(const Clock& clock, absl::Duration interval)
      : clock_(clock), interval_(interval) {}

  void Warn(absl::string_view message);

 private:
  const Clock& clock_;
  const absl::Duration interval_;
  Mutex mutex_;
  absl::Duration next_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  int64_t silent_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rls

#endif  // RLS_BASE_LOG_THROTTLE_H_
