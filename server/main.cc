#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "app/app.h"
#include "app/reference_name.h"
#include "app/settings.h"
#include "app/shutdown.h"
#include "base/line_writer.h"
#include "base/log.h"
#include "config/load.h"

namespace {

constexpr int kUsageError = 2;

// The time for the last lines. A reader that does not read loses them. After a
// start that has failed, nothing else waits, and the lines have the reason.
constexpr absl::Duration kFlushTime = absl::Milliseconds(300);
constexpr absl::Duration kFlushTimeOfFailure = absl::Seconds(10);

// Raises the number of descriptors that the process may have open to the
// maximum that the system allows. Each connection needs one.
void RaiseDescriptorLimit() {
  rlimit descriptors = {};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

int Serve(const rls::Settings& settings, rls::LineWriter& log) {
  rls::Shutdown shutdown(
      {.delay = settings.drain_delay, .drain = settings.drain_time}, log);
  auto app = rls::StartApp(settings, rls::ProcessEnvironment);
  if (!app.ok()) {
    if (settings.log_format == rls::LogFormat::kJson) {
      rls::LogError(app.status().message());
    } else {
      log.Write(absl::StrCat(app.status().message(), "\n"));
    }
    return 1;
  }
  shutdown.Serve([&app] { (*app)->Reload(); });
  // A reader of stdout that does not read must not stop the process.
  rls::LineWriter out({.fd = STDOUT_FILENO});
  out.Write(absl::StrCat((*app)->ReadyLine(), "\n"));
  shutdown.AwaitSignal();
  (*app)->StopBeingReady();
  shutdown.AwaitDelay();
  (*app)->Drain([&](const char* step) { shutdown.Enter(step); });
  shutdown.SetDrained();
  shutdown.Enter("the end of the threads");
  app->reset();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Debian compiles the deadlock detector into Abseil. Its bookkeeping would
  // cost time at each lock of the hot path.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  std::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  const auto line = rls::ReadCommandLine(argc, argv, rls::ProcessEnvironment);
  if (!line.ok()) {
    std::fprintf(stderr, "ratelimitd: %s\n%s",
                 std::string(line.status().message()).c_str(),
                 rls::IsReferenceName(argv[0]) ? "" : "Try --help.\n");
    return kUsageError;
  }
  if (!line->print.empty()) {
    std::fputs(line->print.c_str(), stdout);
    return 0;
  }
  rls::SetLogLevelByName(line->settings.log_level);
  rls::SetLogFormat(line->settings.log_format);
  rls::LineWriter& log = rls::StartLogWriter();
  for (const std::string& warning : line->warnings) rls::LogWarning(warning);
  for (const std::string& note : line->notes) rls::LogInfo(note);
  const int status = Serve(line->settings, log);
  log.Flush(status == 0 ? kFlushTime : kFlushTimeOfFailure);
  return status;
}
