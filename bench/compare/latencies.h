#ifndef RLS_BENCH_COMPARE_LATENCIES_H_
#define RLS_BENCH_COMPARE_LATENCIES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rls {

// A histogram of times, each kept to within 0.8 %, in memory that does not grow
// with their number: below 256 ns to the nanosecond, then 128 equal steps for
// each power of two.
class Latencies {
 public:
  Latencies();

  void Add(uint64_t ns);
  void Add(const Latencies& others);

  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  double mean_ns() const;  // 0 when there is none

  // The least time that so large a part of them, 0 to 1, did not exceed: the
  // upper end of its step. 0 when there is none.
  uint64_t Percentile(double part) const;

 private:
  std::vector<uint64_t> steps_;
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_LATENCIES_H_
