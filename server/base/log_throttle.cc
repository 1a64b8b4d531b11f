#include "base/log_throttle.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace rls {

void LogThrottle::Warn(absl::string_view message) {
  int64_t silent = 0;
  {
    const MutexLock lock(&mutex_);
    const absl::Duration now = clock_.Elapsed();
    if (now < next_) {
      ++silent_;
      return;
    }
    next_ = now + interval_;
    silent = std::exchange(silent_, 0);
  }
  LogWarning(silent == 0
                 ? std::string(message)
                 : absl::StrCat(message, " (and ", silent, " times since)"));
}

}  // namespace rls
