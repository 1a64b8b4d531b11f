#ifndef RLS_BENCH_COMPARE_LOAD_H_
#define RLS_BENCH_COMPARE_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "compare/latencies.h"
#include "compare/traffic.h"

namespace rls {

struct LoadSettings {
  int port = 0;  // on 127.0.0.1
  TrafficSettings traffic;
  int connections = 8;
  int streams = 32;  // concurrent calls on each connection, at most
  int threads = 1;   // share the connections
  // Open loop: calls per second, each due at a fixed time, independent of
  // earlier answers. 0: closed loop; each answer starts the next call.
  double rate = 0;
  std::string timeout;  // the value of grpc-timeout; "": no deadline
  double warm_up_s = 1;
  double seconds = 3;  // a closed loop extends it to get at least 300 answers
  // Check that the first answer of each thread has a status with a limit for
  // each descriptor. If not, the server has no rule for the requests.
  bool want_limits = false;
  std::vector<int> watched_pids;
  uint32_t seed = 1;
};

// The answers to the measured calls.
struct Answers {
  void Add(const Answers& others);

  // From the due time of a call to its answer.
  Latencies latencies;
  uint64_t ok = 0;
  uint64_t over_limit = 0;
  uint64_t other_code = 0;
  uint64_t failed = 0;  // the grpc-status is missing or not 0
  // Calls sent at least 1 ms after their due time, because the load generator
  // was late or every stream was in use.
  uint64_t sent_late = 0;
};

struct LoadResult {
  Answers answers;
  // Differences between two readings of the clock, the counts and the processor
  // times, at the beginning and the end of the measurement.
  double seconds = 0;
  uint64_t answered = 0;
  double own_cpu_s = 0;
  std::vector<double> watched_cpu_s;
};

// Puts load on a server. Begins when the server has answered one call of each
// thread.
//
// Open loop: no due call is left out. If the load generator is late or every
// stream is in use, the call is sent later, and its latency counts from its due
// time (no "coordinated omission").
//
// Failure: ends the process with a message if there is no connection, no
// HTTP/2, or no answer for 10 s.
LoadResult RunLoad(const LoadSettings& settings);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_LOAD_H_
