#include "base/log.h"

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "base/text.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace rls {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// stdout belongs to the `ready` line, which scripts read.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger(
        "ratelimitd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                      spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

std::optional<LogLevel> LevelOfName(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower == "trace" || lower == "debug") return LogLevel::kDebug;
  if (lower == "info") return LogLevel::kInfo;
  if (lower == "warn" || lower == "warning") return LogLevel::kWarning;
  if (lower == "error" || lower == "fatal" || lower == "panic") {
    return LogLevel::kError;
  }
  return std::nullopt;
}

}  // namespace

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

bool IsLogLevelName(absl::string_view name) {
  return LevelOfName(name).has_value();
}

bool SetLogLevelByName(absl::string_view name) {
  const std::optional<LogLevel> level = LevelOfName(name);
  if (!level.has_value()) return false;
  SetLogLevel(*level);
  return true;
}

void Log(LogLevel level, absl::string_view message) {
  const std::string escaped = EscapeControls(message);
  Logger().log(ToSpdlog(level), escaped);
}

}  // namespace rls
