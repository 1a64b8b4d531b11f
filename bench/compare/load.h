#ifndef RLS_BENCH_COMPARE_LOAD_H_
#define RLS_BENCH_COMPARE_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "compare/latencies.h"
#include "compare/traffic.h"

namespace rls {

struct LoadSettings {
  int port = 0;  // of 127.0.0.1
  TrafficSettings traffic;
  int connections = 8;
  int streams = 32;  // calls on each connection at once, at most
  int threads = 1;   // which share the connections
  // Calls a second, each due at its own time whether or not earlier ones have
  // come back; 0: a call follows as soon as another has come back.
  double rate = 0;
  std::string timeout;  // the value of grpc-timeout; "": none
  double warm_up_s = 1;
  double seconds = 3;  // longer where hardly any answers come
  // The first answer of each thread must have a status with a limit for each
  // descriptor: else the server has no rule for what is asked.
  bool want_limits = false;
  std::vector<int> watched_pids;
  uint32_t seed = 1;
};

// What came back of the calls that were measured.
struct Answers {
  void Add(const Answers& others);

  // From when a call was due until its answer had come.
  Latencies latencies;
  uint64_t ok = 0;
  uint64_t over_limit = 0;
  uint64_t other_code = 0;
  uint64_t failed = 0;  // a grpc-status that is not 0, or none
  // Sent by a millisecond or more after they were due: by us, or since every
  // stream was taken.
  uint64_t sent_late = 0;
};

struct LoadResult {
  Answers answers;
  // Between two readings of clock, counts and processor times, at the begin and
  // the end of what is measured.
  double seconds = 0;
  uint64_t answered = 0;
  double own_cpu_s = 0;
  std::vector<double> watched_cpu_s;
};

// Calls a server, and ends the process with a message when that does not work:
// no connection, no HTTP/2, or no answer for some seconds. It begins when the
// server has answered a call of each thread.
//
// Open loop: a call that is due is never left out. When the load cannot keep up
// or every stream is taken, it is sent later, and its latency counts from when
// it was due (no "coordinated omission").
LoadResult RunLoad(const LoadSettings& settings);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_LOAD_H_
