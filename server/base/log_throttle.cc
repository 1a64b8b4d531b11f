#include "base/log_throttle.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {

void LogThrottle::Write(LogLevel level, absl::string_view message) {
  int64_t silent = 0;
  {
    const MutexLock lock(&mutex_);
    const absl::Duration now = clock_.Elapsed();
    if (now >= interval_end_) {
      interval_end_ = now + interval_;
      written_ = 0;
    }
    if (written_ == lines_) {
      ++silent_;
      return;
    }
    ++written_;
    silent = std::exchange(silent_, 0);
  }
  Log(level, silent == 0
                 ? std::string(message)
                 : absl::StrCat(message, " (and ", silent, " more since)"));
}

}  // namespace rls
