#include "compare/latencies.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace rls {
namespace {

constexpr int kStepBits = 7;
constexpr size_t kSteps = size_t{1} << kStepBits;

// The number of bits to shift a time right until it is less than 2 * kSteps.
int ShiftOf(uint64_t ns) {
  return std::max(0, static_cast<int>(std::bit_width(ns)) - kStepBits - 1);
}

size_t StepOf(uint64_t ns) {
  const int shift = ShiftOf(ns);
  return static_cast<size_t>(shift) * kSteps + static_cast<size_t>(ns >> shift);
}

uint64_t UpperEnd(size_t step) {
  if (step < 2 * kSteps) return step;
  const size_t shift = step / kSteps - 1;
  const uint64_t first = step - shift * kSteps;
  // For the last step this wraps around to the largest number, as intended.
  return ((first + 1) << shift) - 1;
}

}  // namespace

Latencies::Latencies() : steps_(StepOf(UINT64_MAX) + 1) {}

void Latencies::Add(uint64_t ns) {
  ++steps_[StepOf(ns)];
  ++count_;
  sum_ns_ += static_cast<double>(ns);
  max_ns_ = std::max(max_ns_, ns);
}

void Latencies::Add(const Latencies& others) {
  for (size_t i = 0; i < steps_.size(); ++i) steps_[i] += others.steps_[i];
  count_ += others.count_;
  sum_ns_ += others.sum_ns_;
  max_ns_ = std::max(max_ns_, others.max_ns_);
}

double Latencies::mean_ns() const {
  return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_);
}

uint64_t Latencies::Percentile(double fraction) const {
  if (count_ == 0) return 0;
  const auto rank = std::max<uint64_t>(
      1,
      static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
  uint64_t seen = 0;
  size_t step = 0;
  while ((seen += steps_[step]) < rank) ++step;
  return std::min(UpperEnd(step), max_ns_);
}

}  // namespace rls
