#ifndef RLS_APP_SHUTDOWN_H_
#define RLS_APP_SHUTDOWN_H_

#include <signal.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "base/line_writer.h"

namespace rls {

// The end of the process by a signal. A thread receives SIGTERM and SIGINT,
// which begin the end, and SIGHUP. It is the last resort too: whatever main()
// waits for, the process ends within the delay, the drain time and a second.
//
// The end has two parts. During the delay the process serves as before, but is
// not ready, so that all gateways can learn that it leaves. Then it drains.
//
// Threads: every method may be called by many threads at once.
// Lifetime: create it before any other thread and destroy it at the end of
// main(); then the process has ended in time.
class Shutdown {
 public:
  // The status with which a process ends that has not answered all its
  // requests: it did not drain in time, or a second signal came.
  static constexpr int kNotDrained = 3;
  // After the drain time the process ends within this time.
  static constexpr absl::Duration kGrace = absl::Milliseconds(600);
  // After all requests are answered, the threads end within this time. A
  // reload under way, or an idle HTTP connection, can take longer.
  static constexpr absl::Duration kThreadsEnd = absl::Milliseconds(500);
  // Another SIGTERM ends the delay, and while the process drains another
  // SIGTERM or SIGINT ends it at once, unless they come sooner than this: a
  // terminal and a supervisor, or a supervisor and a wrapper, may send one
  // each.
  static constexpr absl::Duration kSecondSignal = absl::Seconds(1);

  struct Times {
    // After SIGTERM. SIGINT ends the delay, or lets it be skipped if it comes
    // first: a person at a terminal waits for the end.
    absl::Duration delay;
    absl::Duration drain;
  };

  // Blocks the signals, for all threads that begin later. `log` writes the last
  // lines.
  Shutdown(const Times& times, LineWriter& log);
  ~Shutdown();
  Shutdown(const Shutdown&) = delete;
  Shutdown& operator=(const Shutdown&) = delete;

  // The process serves. Before this call a signal ends it at once, with status
  // 0. From now on `reload` runs for each SIGHUP; it must not block.
  void Serve(std::function<void()> reload);
  // Returns when the process must end. It must not be ready from now on.
  void AwaitSignal() { begun_.wait(); }
  // Returns when the delay is over. The process must drain now.
  void AwaitDelay() { delayed_.wait(); }

  // Names the step that main() waits for, for the log. Text of static lifetime.
  void Enter(const char* step) { step_ = step; }
  // All requests are answered.
  void SetDrained() { drained_ = true; }

 private:
  void Run();
  // Ends when the delay is over.
  void Delay(int first_signal);
  void Watch();
  [[noreturn]] void End(int status, const char* reason);
  // The next signal, or 0 if none comes in time.
  int Next(absl::Duration most) const;

  const Times times_;
  LineWriter& log_;
  sigset_t signals_;
  std::function<void()> reload_;  // written before serves_
  std::atomic<bool> serves_{false};
  std::atomic<bool> drained_{false};
  std::atomic<bool> done_{false};
  std::atomic<const char*> step_{"the start"};
  std::latch begun_{1};
  std::latch delayed_{1};
  std::thread thread_;
};

}  // namespace rls

#endif  // RLS_APP_SHUTDOWN_H_
