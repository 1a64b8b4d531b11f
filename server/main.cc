#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/synchronization/mutex.h"
#include "app/app.h"
#include "app/settings.h"
#include "base/log.h"

namespace {

constexpr int kUsageError = 2;

std::optional<std::string> FromEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

// The signals that main() waits for. Blocked before any thread is started, so
// that none of them can be delivered elsewhere.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void ServeUntilTold(rls::App& app, const sigset_t& signals) {
  for (int signal = 0; sigwait(&signals, &signal) == 0;) {
    if (signal != SIGHUP) return;
    app.Reload();
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Debian compiles the detector into Abseil; its bookkeeping costs at each
  // lock of the hot path.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const sigset_t signals = BlockSignals();

  const auto line = rls::ReadCommandLine(argc, argv, FromEnvironment);
  if (!line.ok()) {
    std::fprintf(stderr, "ratelimitd: %s\nTry --help.\n",
                 std::string(line.status().message()).c_str());
    return kUsageError;
  }
  if (!line->print.empty()) {
    std::fputs(line->print.c_str(), stdout);
    return 0;
  }
  rls::SetLogLevelByName(line->settings.log_level);
  const auto app = rls::StartApp(line->settings, FromEnvironment);
  if (!app.ok()) {
    std::fprintf(stderr, "%s\n", std::string(app.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", (*app)->ReadyLine().c_str());
  std::fflush(stdout);
  ServeUntilTold(**app, signals);
  (*app)->Drain();
  return 0;
}
