#ifndef RLS_BENCH_REDIS_LOAD_H_
#define RLS_BENCH_REDIS_LOAD_H_

#include <string>
#include <vector>

#include "store/counter_store.h"

namespace rls {

// What is measured; see bench/redis/run.
struct LoadOptions {
  std::string url;
  std::vector<int> redis_pids;
  std::string store = "ours";    // ours, naive
  int connections = 1;           // of naive
  std::string policy = "plain";  // plain, earned, sliding, bucket
  int descriptors = 1;
  int keys = 100'000;
  int in_flight = 512;
  int threads = 1;
  double rate = 0;  // open loop at this many a second; 0: closed loop
  double seconds = 3;
};

// Asks the store for `seconds`, after a short while for warming up, and prints
// one line of JSON.
//
// Closed loop: so many requests are always on their way, each asked again when
// it is answered. Open loop: a request is due at its time whether or not
// earlier ones have come back, and its latency counts from then.
void RunLoad(const LoadOptions& options, CounterStore& store);

}  // namespace rls

#endif  // RLS_BENCH_REDIS_LOAD_H_
