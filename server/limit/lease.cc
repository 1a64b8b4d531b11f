#include "limit/lease.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "limit/algorithms.h"

namespace rls {
namespace {

constexpr int64_t kMillion = 1'000'000;

}  // namespace

std::string LeaseText(const LeaseTerms& terms) {
  const double percent = static_cast<double>(terms.max_share_ppm) /
                         static_cast<double>(kPpmOfPercent);
  return absl::StrCat(percent, "% for ", absl::FormatDuration(terms.ttl));
}

bool CanLease(const Policy& policy) {
  return !policy.queue && policy.algorithm != Algorithm::kSingleWindow &&
         !(policy.algorithm == Algorithm::kFixedWindow && EarnsBurst(policy));
}

int64_t UnitsToLease(const Policy& policy, const LeaseTerms& terms,
                     const LeaseNeed& need) {
  const int64_t wanted = std::min(
      need.demand, MulDivFloor(policy.limit, terms.max_share_ppm, kMillion));
  // A quarter is early enough to have the next lease before this one is used
  // up.
  if (need.on_hand > wanted / 4) return 0;
  const int64_t units =
      std::min(wanted - need.on_hand, need.remaining / kRestDivisor);
  return units < kMinLease ? 0 : units;
}

absl::Duration UsableFor(const Policy& policy, const LeaseTerms& terms,
                         const Outcome& outcome) {
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow:
      return std::min(terms.ttl, outcome.reset_after);
    case Algorithm::kSlidingWindow:
      // A used window resets when the next window ends.
      return std::min(terms.ttl, outcome.reset_after - policy.window);
    case Algorithm::kTokenBucket:
    case Algorithm::kSingleWindow:
      break;
  }
  return terms.ttl;
}

}  // namespace rls
