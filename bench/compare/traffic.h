#ifndef RLS_BENCH_COMPARE_TRAFFIC_H_
#define RLS_BENCH_COMPARE_TRAFFIC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rls {

struct TrafficSettings {
  std::string domain = "bench";
  int descriptors = 1;
  uint32_t keys = 100'000;
  double zipf = 0;  // the exponent of a Zipf distribution; 0: uniform
};

// A sequence of ShouldRateLimit requests with random keys. Descriptor 0 is
// {user: uN}; the others are {d1: uN}, {d2: uN} and so on. bench/bench.yaml has
// rules for them.
//
// The constructor draws a million keys, which are then used in a cycle. To draw
// a key for each request could cost as much time as the server's answer.
class Traffic {
 public:
  // The same seed gives the same requests.
  Traffic(const TrafficSettings& settings, uint32_t seed);

  // Replaces `out` by the next request, as a gRPC message with its prefix.
  void WriteNext(std::string& out);

 private:
  uint32_t NextKey();

  std::string domain_field_;
  std::vector<std::string> entry_keys_;  // the key field of each descriptor
  std::vector<uint32_t> drawn_;
  size_t next_ = 0;
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_TRAFFIC_H_
