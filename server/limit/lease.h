#ifndef RLS_LIMIT_LEASE_H_
#define RLS_LIMIT_LEASE_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/policy.h"

namespace rls {

// How a replica may lease units of a counter: charge them to the shared store
// ahead of need and serve from them. docs/LEASES.md derives what that costs in
// exactness.
struct LeaseTerms {
  // Of the limit, in millionths: what one replica holds of a counter at most.
  int64_t max_share_ppm = 50'000;
  // What is not used within it goes back.
  absl::Duration ttl = absl::Seconds(1);

  friend bool operator==(const LeaseTerms&, const LeaseTerms&) = default;
};

// For people, as "5% for 1s".
std::string LeaseText(const LeaseTerms& terms);

inline constexpr int64_t kPpmOfPercent = 10'000;
inline constexpr int64_t kMaxLeaseSharePpm = 50 * kPpmOfPercent;
inline constexpr absl::Duration kMinLeaseTtl = absl::Milliseconds(100);
inline constexpr absl::Duration kMaxLeaseTtl = absl::Minutes(1);

// No lease is smaller: it would save next to nothing.
inline constexpr int64_t kMinLease = 4;
// No lease takes more of what is left than one part of so many, so that leases
// shrink, and end, where a counter nears its limit.
inline constexpr int64_t kPartsOfRest = 4;

// Not one that queues, as what is held in advance has no place in a queue, nor
// one with an earned burst: what lapses with its window would be in no bank.
bool CanLease(const Policy& policy);

// What a replica knows when it thinks of leasing.
struct LeaseNeed {
  int64_t demand = 0;     // units that were asked of it within a ttl
  int64_t held = 0;       // units it has leased and not used
  int64_t remaining = 0;  // units the store has left
};

// Units to lease now; 0 is none.
int64_t UnitsToLease(const Policy& policy, const LeaseTerms& terms,
                     const LeaseNeed& need);

// How long the units of a charge may be used, from the time at which the store
// made it: for the ttl, and not beyond the window that they were taken from.
absl::Duration UsableFor(const Policy& policy, const LeaseTerms& terms,
                         const Outcome& made);

}  // namespace rls

#endif  // RLS_LIMIT_LEASE_H_
