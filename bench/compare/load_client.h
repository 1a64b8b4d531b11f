#ifndef RLS_BENCH_COMPARE_LOAD_CLIENT_H_
#define RLS_BENCH_COMPARE_LOAD_CLIENT_H_

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
#include "net/socket.h"

namespace rls {

// One thread's share of a load, on its own connections.
//
// Threads: any thread may call answered() and Stop() at any time. Only one
// thread at a time may call the other methods.
class LoadClient {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Schedule {
    Time start;
    Time from;   // the measurement begins
    Time until;  // an open loop ends; a closed loop ends at Stop()
  };

  // Connects. `settings` must outlive the client. `number` is different for
  // each thread.
  LoadClient(const LoadSettings& settings, int number);
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // Makes one call and waits for its answer, because a server may accept
  // connections before it serves them. Invoke it before Run().
  void Greet();

  // Makes calls until the schedule is over and every call is answered.
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
  // Ends the process if no answer comes for 10 s.
  void WaitForEvents(int timeout_ms);
  void End(ClientConnection& connection, ClientCall& call);
  void Count(const ClientCall& call);
  void CheckLimits(absl::string_view answer);

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
  size_t turn_ = 0;  // the connection that gets the next due call

  Schedule schedule_;
  bool running_ = false;
  Time now_;            // the last reading of the clock
  Time last_answer_;    // or the start
  uint64_t begun_ = 0;  // due calls so far
  size_t in_flight_ = 0;
  bool limits_checked_ = false;
  Answers answers_;
  std::atomic<uint64_t> answered_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_LOAD_CLIENT_H_
