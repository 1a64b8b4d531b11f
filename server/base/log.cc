#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/text.h"
#include "spdlog/sinks/base_sink.h"
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

// Null until StartLogWriter(). Never destroyed: any thread may log until the
// process ends.
std::atomic<LineWriter*> log_writer{nullptr};

std::atomic<LogFormat> log_format{LogFormat::kText};

std::string JsonLine(absl::string_view time, absl::string_view level,
                     absl::string_view message) {
  return absl::StrCat("{\"time\":\"", time, "\",\"level\":\"", level,
                      "\",\"msg\":", JsonText(message), "}\n");
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line = LineOf(message);
    LineWriter* const writer = log_writer.load(std::memory_order_acquire);
    if (writer != nullptr) {
      writer->Write(std::move(line));
    } else {
      std::fwrite(line.data(), 1, line.size(), stderr);
      std::fflush(stderr);
    }
  }

  std::string LineOf(const spdlog::details::log_msg& message) {
    if (log_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
      const auto level = spdlog::level::to_string_view(message.level);
      return JsonLine(TimeText(absl::FromChrono(message.time)),
                      {level.data(), level.size()},
                      {message.payload.data(), message.payload.size()});
    }
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return {line.data(), line.size()};
  }

  void flush_() override {}
};

// Not to stdout: that carries only the `ready` line, which scripts read.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("ratelimitd", std::make_shared<LogSink>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                      spdlog::pattern_time_type::utc);
    return made;
  }();
  return *logger;
}

std::string DroppedNotice(int64_t dropped) {
  const std::string time = TimeText(absl::Now());
  const std::string text = absl::StrCat(
      dropped, " log lines were dropped, because stderr was not read");
  if (log_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    return JsonLine(time, "warning", text);
  }
  return absl::StrCat(time, " warning ", text, "\n");
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

LineWriter& StartLogWriter() {
  auto* const writer =
      new LineWriter({.fd = STDERR_FILENO, .notice = DroppedNotice});
  log_writer.store(writer, std::memory_order_release);
  return *writer;
}

void SetOnDroppedLogLine(std::function<void()> on_drop) {
  LineWriter* const writer = log_writer.load(std::memory_order_acquire);
  if (writer != nullptr) writer->SetOnDrop(std::move(on_drop));
}

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

void SetLogFormat(LogFormat format) { log_format = format; }

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
  if (log_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    // JSON has its own escapes, which its readers undo.
    Logger().log(ToSpdlog(level),
                 spdlog::string_view_t(message.data(), message.size()));
    return;
  }
  const std::string escaped = EscapeControls(message);
  Logger().log(ToSpdlog(level), escaped);
}

void LogThrottle::Write(LogLevel level, absl::string_view message) {
  int64_t suppressed = 0;
  {
    const MutexLock lock(&mutex_);
    const absl::Duration now = clock_.Elapsed();
    if (now >= interval_end_) {
      interval_end_ = now + interval_;
      written_ = 0;
    }
    if (written_ == lines_) {
      ++suppressed_;
      return;
    }
    ++written_;
    suppressed = std::exchange(suppressed_, 0);
  }
  Log(level, suppressed == 0
                 ? std::string(message)
                 : absl::StrCat(message, " (and ", suppressed, " more since)"));
}

}  // namespace rls
