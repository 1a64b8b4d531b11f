// The end of the process by a signal. Each case ends a child process.

#include "app/shutdown.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"

namespace rls {
namespace {

using ::testing::ExitedWithCode;

// Without a delay.
Shutdown::Times Drain(absl::Duration time) {
  return {.delay = absl::ZeroDuration(), .drain = time};
}

constexpr Shutdown::Times kLongDelay = {.delay = absl::Hours(1),
                                        .drain = absl::Milliseconds(100)};

void SendSelf(int signal) { kill(getpid(), signal); }

// Waits until the process has received a signal that it was sent.
void AwaitTaken(int signal) {
  sigset_t waiting;
  do {
    sigpending(&waiting);
  } while (sigismember(&waiting, signal) == 1);
}

[[noreturn]] void WaitForEver() {
  while (true) pause();
}

class ShutdownDeathTest : public ::testing::Test {
 protected:
  // A forked process would lack the threads.
  ShutdownDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(ShutdownDeathTest, AProcessThatDoesNotDrainEndsWithItsOwnStatus) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(Drain(absl::Milliseconds(100)), StartLogWriter());
        shutdown.Serve([] {});
        SendSelf(SIGTERM);
        shutdown.AwaitSignal();
        shutdown.Enter("a call");
        WaitForEver();
      },
      ExitedWithCode(Shutdown::kNotDrained),
      "not drained in time: it waited for a call");
}

TEST_F(ShutdownDeathTest, ADrainedProcessDoesNotWaitForItsThreads) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(Drain(absl::Hours(1)), StartLogWriter());
        shutdown.Serve([] {});
        SendSelf(SIGINT);
        shutdown.AwaitSignal();
        shutdown.SetDrained();
        shutdown.Enter("a reload");
        WaitForEver();
      },
      ExitedWithCode(0), "it waited for a reload");
}

TEST_F(ShutdownDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(Drain(absl::Hours(1)), StartLogWriter());
        shutdown.Serve([] {});
        SendSelf(SIGTERM);
        shutdown.AwaitSignal();
        while (true) SendSelf(SIGTERM);
      },
      ExitedWithCode(Shutdown::kNotDrained), "by a second signal");
}

TEST_F(ShutdownDeathTest, ASignalDuringTheStartEndsTheProcess) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(Drain(absl::Hours(1)), StartLogWriter());
        SendSelf(SIGTERM);
        WaitForEver();
      },
      ExitedWithCode(0), "before the start was complete");
}

TEST_F(ShutdownDeathTest, AHangUpDuringTheStartIsNotLost) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(Drain(absl::Hours(1)), StartLogWriter());
        SendSelf(SIGHUP);
        shutdown.Serve([] { _exit(7); });
        WaitForEver();
      },
      ExitedWithCode(7), "");
}

TEST_F(ShutdownDeathTest, AProcessThatEndsInTimeChoosesItsStatus) {
  EXPECT_EXIT(
      {
        {
          Shutdown shutdown(Drain(absl::Hours(1)), StartLogWriter());
          shutdown.Serve([] {});
          SendSelf(SIGTERM);
          shutdown.AwaitSignal();
          shutdown.SetDrained();
        }
        _exit(5);
      },
      ExitedWithCode(5), "");
}

TEST_F(ShutdownDeathTest, TheDrainTimeBeginsAfterTheDelay) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(
            {.delay = absl::Milliseconds(100), .drain = absl::Hours(1)},
            StartLogWriter());
        shutdown.Serve([] {});
        SendSelf(SIGTERM);
        shutdown.AwaitSignal();
        shutdown.AwaitDelay();
        _exit(5);
      },
      ExitedWithCode(5), "");
}

TEST_F(ShutdownDeathTest, AnInterruptEndsTheDelayAndNotTheProcess) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(kLongDelay, StartLogWriter());
        shutdown.Serve([] {});
        SendSelf(SIGTERM);
        shutdown.AwaitSignal();
        SendSelf(SIGINT);
        shutdown.AwaitDelay();
        WaitForEver();
      },
      ExitedWithCode(Shutdown::kNotDrained), "not drained in time");
}

TEST_F(ShutdownDeathTest, ASecondSignalEndsTheDelayAndAThirdTheProcess) {
  EXPECT_EXIT(
      {
        Shutdown shutdown({.delay = absl::Hours(1), .drain = absl::Hours(1)},
                          StartLogWriter());
        shutdown.Serve([] {});
        while (true) SendSelf(SIGTERM);
      },
      ExitedWithCode(Shutdown::kNotDrained), "by a second signal");
}

// A supervisor and a wrapper may send one SIGTERM each.
TEST_F(ShutdownDeathTest, ASignalThatComesTwiceDoesNotEndTheDelay) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(kLongDelay, StartLogWriter());
        shutdown.Serve([] { _exit(7); });
        SendSelf(SIGTERM);
        shutdown.AwaitSignal();
        SendSelf(SIGTERM);
        AwaitTaken(SIGTERM);
        SendSelf(SIGHUP);
        WaitForEver();
      },
      ExitedWithCode(7), "");
}

TEST_F(ShutdownDeathTest, AnInterruptFromATerminalHasNoDelay) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(kLongDelay, StartLogWriter());
        shutdown.Serve([] {});
        SendSelf(SIGINT);
        shutdown.AwaitSignal();
        shutdown.AwaitDelay();
        _exit(5);
      },
      ExitedWithCode(5), "");
}

TEST_F(ShutdownDeathTest, AHangUpDuringTheDelayReloads) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(kLongDelay, StartLogWriter());
        shutdown.Serve([] { _exit(7); });
        SendSelf(SIGTERM);
        shutdown.AwaitSignal();
        SendSelf(SIGHUP);
        WaitForEver();
      },
      ExitedWithCode(7), "");
}

}  // namespace
}  // namespace rls
