#ifndef RLS_TESTS_LOAD_CALLER_H_
#define RLS_TESTS_LOAD_CALLER_H_

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
  // Each line is one request: a domain and its descriptors, parted by tabs, a
  // descriptor as key=value[,key=value]... Sent in order, again and again.
  std::vector<std::string> plan;
  size_t streams = 64;  // calls on their way at once, over all servers
  size_t channels = 1;  // connections to each server
  uint64_t calls = 0;   // then it ends; 0: when it is told to
  // Calls a second over all streams; 0: each stream calls again at once.
  double rate = 0;
  std::chrono::milliseconds timeout{10'000};  // of a call
  // How long a stream rests after a call without an answer.
  std::chrono::milliseconds pause{5};
};

// Sends the load until `stop` or the number of calls, and waits for the answers
// of what was sent. Gives a record of each call, in the order of the answers.
//
// Failure: dies with a message when a server cannot be reached at the start or
// a line of the plan cannot be read.
std::vector<Record> SendLoad(const LoadSettings& settings,
                             const std::atomic<bool>& stop);

}  // namespace rls

#endif  // RLS_TESTS_LOAD_CALLER_H_
