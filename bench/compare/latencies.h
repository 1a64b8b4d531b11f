#ifndef RLS_BENCH_COMPARE_LATENCIES_H_
#define RLS_BENCH_COMPARE_LATENCIES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rls {

// A histogram of times, with an error of at most 0.8%, in constant memory.
// Below 256 ns a step is one nanosecond. Above, each power of two has 128 equal
// steps.
class Latencies {
 public:
  Latencies();

  void Add(uint64_t ns);
  void Add(const Latencies& others);

  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  double mean_ns() const;  // 0 if there are no times

  // The least time that `fraction` (0 to 1) of the times do not exceed, rounded
  // up to the end of its step. 0 if there are no times.
  uint64_t Percentile(double fraction) const;

 private:
  std::vector<uint64_t> steps_;
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_LATENCIES_H_
