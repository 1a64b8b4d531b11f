#ifndef RLS_LIMIT_LEASE_H_
#define RLS_LIMIT_LEASE_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/policy.h"

namespace rls {

// The terms on which a replica may lease units of a counter: it charges them to
// the shared store ahead of need and serves requests from them. docs/LEASES.md
// derives the loss of exactness.
struct LeaseTerms {
  // The most units of one counter that a replica has on hand, in millionths of
  // the limit. Default: 5%.
  int64_t max_share_ppm = 50'000;
  // Units that are not used within this time are returned. Default: 1 s.
  absl::Duration ttl = absl::Seconds(1);

  friend bool operator==(const LeaseTerms&, const LeaseTerms&) = default;
};

// For people: "5% for 1s".
std::string LeaseText(const LeaseTerms& terms);

inline constexpr int64_t kPpmOfPercent = 10'000;
inline constexpr int64_t kMaxLeaseSharePpm = 50 * kPpmOfPercent;
inline constexpr absl::Duration kMinLeaseTtl = absl::Milliseconds(100);
inline constexpr absl::Duration kMaxLeaseTtl = absl::Minutes(1);

// The smallest lease, in units. A smaller one would save almost nothing.
inline constexpr int64_t kMinLease = 4;
// A lease takes at most 1/kRestDivisor of the units that remain in the store.
// So leases shrink and then stop as a counter nears its limit.
inline constexpr int64_t kRestDivisor = 4;

// Whether the counters of the policy can be leased. A policy that queues
// cannot: leased units have no place in its queue. A policy with an earned
// burst cannot: units that lapse with their window would be missing in the
// bank.
bool CanLease(const Policy& policy);

// The input of UnitsToLease(), in units of one counter.
struct LeaseNeed {
  int64_t demand = 0;     // charged through this replica within a ttl
  int64_t on_hand = 0;    // leased, and not certainly used
  int64_t remaining = 0;  // left in the store
};

// Units to lease now, or 0.
int64_t UnitsToLease(const Policy& policy, const LeaseTerms& terms,
                     const LeaseNeed& need);

// How long leased units may be used, counted from the time at which the store
// charged them with `outcome`: for the ttl, but at most until their window
// ends.
absl::Duration UsableFor(const Policy& policy, const LeaseTerms& terms,
                         const Outcome& outcome);

}  // namespace rls

#endif  // RLS_LIMIT_LEASE_H_
