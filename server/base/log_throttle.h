#ifndef RLS_BASE_LOG_THROTTLE_H_
#define RLS_BASE_LOG_THROTTLE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

namespace rls {

// For what each request may have to say, or a server that comes and goes: logs
// so many lines in an interval, and says how many more there were.
//
// Threads: Warn() and Info() may be called by many threads at once.
class LogThrottle {
 public:
  // `clock` must outlive it.
  LogThrottle(const Clock& clock, absl::Duration interval, int lines = 1)
      : clock_(clock), interval_(interval), lines_(lines) {}

  void Warn(absl::string_view message) { Write(LogLevel::kWarning, message); }
  void Info(absl::string_view message) { Write(LogLevel::kInfo, message); }

 private:
  void Write(LogLevel level, absl::string_view message);

  const Clock& clock_;
  const absl::Duration interval_;
  const int lines_;
  Mutex mutex_;
  absl::Duration interval_end_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  int written_ ABSL_GUARDED_BY(mutex_) = 0;  // in this interval
  int64_t silent_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rls

#endif  // RLS_BASE_LOG_THROTTLE_H_
