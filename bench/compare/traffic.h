#ifndef RLS_BENCH_COMPARE_TRAFFIC_H_
#define RLS_BENCH_COMPARE_TRAFFIC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rls {

// What is asked about.
struct TrafficSettings {
  std::string domain = "bench";
  int descriptors = 1;
  uint32_t keys = 100'000;
  double zipf = 0;  // the exponent; 0: every key is as likely as any other
};

// Requests of ShouldRateLimit, one after the other, about keys drawn by chance.
// Descriptor 0 is {user: uN}, the others {d1: uN}, {d2: uN} and so on, as
// bench/bench.yaml has rules for them.
//
// Keys are drawn beforehand, a million of them, and then used again from the
// first: drawing one costs as much as a server may need to answer.
class Traffic {
 public:
  // The same seed gives the same requests.
  Traffic(const TrafficSettings& settings, uint32_t seed);

  // Replaces `out` by the next request as a gRPC message, its prefix included.
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
