// The end of the process by a signal. Each case ends a child process.

#include "app/shutdown.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"

namespace rls {
namespace {

using ::testing::ExitedWithCode;

void SendSelf(int signal) { kill(getpid(), signal); }

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
        Shutdown shutdown(absl::Milliseconds(100), StartLogWriter());
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
        Shutdown shutdown(absl::Hours(1), StartLogWriter());
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
        Shutdown shutdown(absl::Hours(1), StartLogWriter());
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
        Shutdown shutdown(absl::Hours(1), StartLogWriter());
        SendSelf(SIGTERM);
        WaitForEver();
      },
      ExitedWithCode(0), "before the start was complete");
}

TEST_F(ShutdownDeathTest, AHangUpDuringTheStartIsNotLost) {
  EXPECT_EXIT(
      {
        Shutdown shutdown(absl::Hours(1), StartLogWriter());
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
          Shutdown shutdown(absl::Hours(1), StartLogWriter());
          shutdown.Serve([] {});
          SendSelf(SIGTERM);
          shutdown.AwaitSignal();
          shutdown.SetDrained();
        }
        _exit(5);
      },
      ExitedWithCode(5), "");
}

}  // namespace
}  // namespace rls
