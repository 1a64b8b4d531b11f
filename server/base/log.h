#ifndef RLS_BASE_LOG_H_
#define RLS_BASE_LOG_H_

#include "absl/strings/string_view.h"

namespace rls {

// Log lines of the process, on stderr: time, level, message. Control
// characters in a message are escaped, so that nothing from the wire or a
// config can forge a second line.
//
// Threads: all of these may be called by many threads at once.
// Never pass a secret: see DESIGN section 10.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

void SetLogLevel(LogLevel level);

// The words of LOG_LEVEL in any letter case: trace, debug, info, warn, warning,
// error, fatal, panic.
bool IsLogLevelName(absl::string_view name);

// False, and no change, when `name` is not one of them.
bool SetLogLevelByName(absl::string_view name);

void Log(LogLevel level, absl::string_view message);

inline void LogDebug(absl::string_view m) { Log(LogLevel::kDebug, m); }
inline void LogInfo(absl::string_view m) { Log(LogLevel::kInfo, m); }
inline void LogWarning(absl::string_view m) { Log(LogLevel::kWarning, m); }
inline void LogError(absl::string_view m) { Log(LogLevel::kError, m); }

}  // namespace rls

#endif  // RLS_BASE_LOG_H_
