#ifndef RLS_RPC_LEAN_FRAME_BUDGET_H_
#define RLS_RPC_LEAN_FRAME_BUDGET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "rpc/lean/closed_streams.h"

namespace rls {

// The budget of a connection for frames that lead to no request: a token bucket
// in units of one cheap frame, about 0.3 us of processor time. Each frame
// spends, each request that is served earns. A client that sends requests
// therefore never runs out: a request needs two frames, and at most three more
// for flow control and a late cancellation.
//
// The budget bounds the processor time that one connection can use without a
// request to about a hundredth of a core.
class FrameBudget {
 public:
  static constexpr int64_t kBurst = 60'000;
  static constexpr int64_t kPerSecond = 20'000;
  // A served request.
  static constexpr int64_t kServed = 8;
  // SETTINGS with a new window size changes each open stream.
  static constexpr int64_t kSettings = 200;
  // A header block beyond its bound must still be decompressed.
  static constexpr int64_t kLargeHeaders = 500;
  // A message of a call that takes any number of them (reflection).
  static constexpr int64_t kMessage = 200;
  // A DATA frame of this size is free: its bytes are bounded elsewhere.
  static constexpr size_t kFreeDataBytes = 256;

  // A compressed message may grow this many times for free: text does. Beyond
  // that it costs a unit for each kInflatedBytes.
  static constexpr size_t kFreeGrowth = 16;
  static constexpr size_t kInflatedBytes = 256;

  static int64_t CostOf(const FrameHead& frame);
  static int64_t CostOfInflating(size_t compressed, size_t inflated) {
    const size_t free = kFreeGrowth * compressed;
    return inflated <= free
               ? 0
               : static_cast<int64_t>((inflated - free) / kInflatedBytes);
  }

  // Adds the units for the time since the last call.
  void Refill(absl::Time now) {
    if (units_ == kBurst || now < refilled_) {
      refilled_ = now;
      return;
    }
    const int64_t earned = (now - refilled_) / kUnitTime;
    units_ = std::min(kBurst, units_ + earned);
    refilled_ += earned * kUnitTime;
  }

  // False: the budget is exhausted.
  bool Spend(int64_t units) {
    units_ -= units;
    return units_ >= 0;
  }
  void Earn() { units_ = std::min(kBurst, units_ + kServed); }

 private:
  static constexpr absl::Duration kUnitTime =
      absl::Microseconds(1'000'000 / kPerSecond);

  int64_t units_ = kBurst;
  absl::Time refilled_ = absl::InfinitePast();
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_FRAME_BUDGET_H_
