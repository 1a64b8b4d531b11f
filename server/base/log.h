#ifndef RLS_BASE_LOG_H_
#define RLS_BASE_LOG_H_

#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/line_writer.h"
#include "base/mutex.h"

namespace rls {

// Log lines of the process, on stderr: time, level, message. Control characters
// in a message are escaped, so that text from the wire or from a configuration
// cannot forge a second line.
//
// Until StartLogWriter() a line is written before Log() returns, and waits for
// the reader of stderr. Afterwards Log() never waits: see LineWriter.
//
// Threads: all functions may be called by many threads at once.
// Secrets: a message must never contain an API key, a token or a password.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

// From now on a thread writes the lines. Call it once, before other threads
// exist. The writer lives until the process ends, so call Flush() at the end.
LineWriter& StartLogWriter();

// See LineWriter::SetOnDrop(). Nothing is dropped before StartLogWriter().
void SetOnDroppedLogLine(std::function<void()> on_drop);

void SetLogLevel(LogLevel level);

// kJson: each line is one JSON object with time (RFC 3339), level and msg.
// Bytes of a message that are not valid UTF-8 become U+FFFD.
enum class LogFormat { kText, kJson };

// Default: text. Call it before other threads exist.
void SetLogFormat(LogFormat format);

// Whether `name` is a value of LOG_LEVEL, in any letter case: trace, debug,
// info, warn, warning, error, fatal, panic.
bool IsLogLevelName(absl::string_view name);

// If `name` is not such a value, returns false and changes nothing.
bool SetLogLevelByName(absl::string_view name);

void Log(LogLevel level, absl::string_view message);

inline void LogDebug(absl::string_view m) { Log(LogLevel::kDebug, m); }
inline void LogInfo(absl::string_view m) { Log(LogLevel::kInfo, m); }
inline void LogWarning(absl::string_view m) { Log(LogLevel::kWarning, m); }
inline void LogError(absl::string_view m) { Log(LogLevel::kError, m); }

// Logs at most `lines` messages per interval, and adds the number of suppressed
// messages to the next line that it writes. Use it for messages that every
// request or every reconnect can cause.
//
// Threads: Warn() and Info() may be called by many threads at once.
// Lifetime: `clock` must outlive the throttle.
class LogThrottle {
 public:
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
  int64_t suppressed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rls

#endif  // RLS_BASE_LOG_H_
