#ifndef RLS_TESTS_LOAD_SEND_LOAD_H_
#define RLS_TESTS_LOAD_SEND_LOAD_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "load/records.h"

namespace rls {

struct LoadSettings {
  std::vector<std::string> servers;  // HOST:PORT
  // Each line is one request: a domain and its descriptors, separated by tabs.
  // A descriptor is key=value[,key=value]... The lines are sent in order, again
  // and again.
  std::vector<std::string> plan;
  size_t streams = 64;  // concurrent calls, over all servers
  size_t channels = 1;  // connections to each server
  uint64_t calls = 0;   // the number of calls; 0: until `stop`
  // Calls per second over all streams; 0: each stream calls again at once.
  double rate = 0;
  std::chrono::milliseconds timeout{10'000};  // of a call
  // The rest of a stream after a call without an answer.
  std::chrono::milliseconds pause{5};
};

// Sends the load until `stop` is set or the number of calls is reached, and
// waits for all answers. Returns a record of each call, in the order of the
// answers.
//
// Failure: ends the process with a message if a server cannot be reached at the
// start or a line of the plan cannot be read.
std::vector<Record> SendLoad(const LoadSettings& settings,
                             const std::atomic<bool>& stop);

}  // namespace rls

#endif  // RLS_TESTS_LOAD_SEND_LOAD_H_
