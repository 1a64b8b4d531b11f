#include "app/shutdown.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"

namespace rls {
namespace {

// How often the watch looks at the progress of main().
constexpr absl::Duration kLook = absl::Milliseconds(20);
// The time for the last log lines.
constexpr absl::Duration kFlush = absl::Milliseconds(200);

// Monotonic, so that a step of the clock changes nothing.
absl::Duration Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

Shutdown::Shutdown(const Times& times, LineWriter& log)
    : times_(times), log_(log) {
  sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { Run(); });
}

Shutdown::~Shutdown() {
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGHUP);
  thread_.join();
}

void Shutdown::Serve(std::function<void()> reload) {
  reload_ = std::move(reload);
  serves_ = true;
}

int Shutdown::Next(absl::Duration most) const {
  const timespec time = absl::ToTimespec(most);
  return std::max(0, sigtimedwait(&signals_, nullptr, &time));
}

void Shutdown::Run() {
  bool reload_waits = false;
  while (!done_) {
    // A SIGHUP during the start is not lost.
    const int signal = Next(reload_waits ? kLook : absl::Hours(1));
    reload_waits |= signal == SIGHUP;
    if (signal == SIGTERM || signal == SIGINT) {
      if (!serves_) End(0, "ended by a signal before the start was complete");
      begun_.count_down();
      Delay(signal);
      delayed_.count_down();
      Watch();
      return;
    }
    if (reload_waits && serves_) {
      reload_waits = false;
      reload_();
    }
  }
}

void Shutdown::Delay(int first_signal) {
  if (first_signal == SIGINT) return;
  const absl::Duration begin = Now();
  while (!done_ && Now() < begin + times_.delay) {
    const int signal = Next(kLook);
    if (signal == SIGINT) return;
    if (signal == SIGTERM && Now() >= begin + kSecondSignal) return;
    // The rules stay in force until the end.
    if (signal == SIGHUP && !done_) reload_();
  }
}

void Shutdown::Watch() {
  const absl::Duration begin = Now();
  const absl::Duration late = begin + times_.drain + kGrace;
  absl::Duration threads_late = late;
  while (!done_) {
    const int signal = Next(kLook);
    const absl::Duration now = Now();
    if (drained_) threads_late = std::min(threads_late, now + kThreadsEnd);
    if ((signal == SIGTERM || signal == SIGINT) &&
        now >= begin + kSecondSignal) {
      End(drained_ ? 0 : kNotDrained, "ended at once by a second signal");
    }
    if (now >= threads_late && drained_) {
      End(0, "drained, and ended without the rest");
    }
    if (now >= late) End(kNotDrained, "not drained in time");
  }
}

void Shutdown::End(int status, const char* reason) {
  LogWarning(absl::StrCat(reason, ": it waited for ", step_.load()));
  log_.Flush(kFlush);
  _exit(status);
}

}  // namespace rls
