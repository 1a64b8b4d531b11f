#ifndef RLS_BENCH_COMPARE_CALLER_H_
#define RLS_BENCH_COMPARE_CALLER_H_

#include <nghttp2/nghttp2.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "compare/client_connection.h"
#include "compare/load.h"
#include "compare/traffic.h"
#include "net/file_descriptor.h"

namespace rls {

// One thread's share of a load, on connections of its own.
//
// Threads: answered() and Stop() may be called by any thread at any time, all
// else by one at a time.
class Caller {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Schedule {
    Time start;
    Time from;   // what is measured begins
    Time until;  // of an open loop; a closed one goes on until Stop()
  };

  // Connects. `settings` must outlive it; `number` tells the threads apart.
  Caller(const LoadSettings& settings, int number);
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // One call, until its answer has come: a server may take connections before
  // it serves them. Before Run().
  void Greet();

  // Calls until the schedule is over and every call has come back.
  void Run(const Schedule& schedule);
  void Stop() { stopped_ = true; }

  uint64_t answered() const {
    return answered_.load(std::memory_order_relaxed);
  }
  const Answers& answers() const { return answers_; }

 private:
  void FillStreams();
  bool SendDue();
  ClientConnection* FreeConnection();
  void Send(ClientConnection& connection, Time due);
  // Ends the process when nothing comes for too long.
  void WaitForEvents(int timeout_ms);
  void End(ClientConnection& connection, ClientCall& call);
  void Judge(const ClientCall& call);
  void CheckLimits(absl::string_view reply);

  bool Measures(const ClientCall& call) const;

  bool open_loop() const { return settings_.rate > 0; }

  const LoadSettings& settings_;
  Traffic traffic_;
  const std::vector<nghttp2_nv> headers_;
  const FileDescriptor epoll_;
  std::vector<uint8_t> room_;
  std::deque<ClientCall> calls_;
  std::vector<ClientCall*> spare_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  size_t turn_ = 0;  // which connection gets the next call that is due

  Schedule schedule_;
  bool running_ = false;
  Time now_;            // when it last looked at the clock
  Time last_answer_;    // or the start
  uint64_t begun_ = 0;  // calls that were due so far
  size_t in_flight_ = 0;
  bool limits_checked_ = false;
  Answers answers_;
  std::atomic<uint64_t> answered_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_CALLER_H_
