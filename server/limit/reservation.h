#ifndef RLS_LIMIT_RESERVATION_H_
#define RLS_LIMIT_RESERVATION_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limit/policy.h"

namespace rls {

// A reservation: what a request has been charged by an estimate, remembered
// under its id in a counter of its own until a report tells what it really was
// (docs/decisions/0012-tokens-are-reserved-and-settled.md). All of it is made
// of charges, so that every store keeps it, and any replica can settle it.
//
// The counter is a single window: forgotten `ttl` after the request. An id is
//   unknown   0
//   reserved  a large number and twice the estimate, and 1 if it was settled
//             before
//   settled   1
// so that an id can be reserved while it is unknown or settled, but not twice
// at a time, and settled once.

// The policy of the counters of reservations.
Policy ReservationPolicy(absl::Duration ttl);

// No estimate is larger.
inline constexpr int64_t kMaxEstimate = (int64_t{1} << 50) - 1;

// The charge that reserves: refused while the id is reserved already. To be
// taken together with the charges of `estimate`, so that both are made or none.
Charge ReservingCharge(const Policy& policy, const CounterKey& key,
                       int64_t estimate);

inline bool IsReserving(const Charge& charge) {
  return charge.policy->algorithm == Algorithm::kSingleWindow;
}

// What a report does with the counter of its request, in one Take.
using SettlingCharges = std::array<Charge, 3>;
SettlingCharges ChargesToSettle(const Policy& policy, const CounterKey& key);

struct Reservation {
  enum class State { kUnknown, kReserved, kSettled };
  State state = State::kUnknown;
  int64_t estimate = 0;
  absl::Time made_at;  // of kReserved; on the clock of the store, as `now`
  absl::Time now;
};

// What the report has found, from the outcomes of ChargesToSettle().
Reservation FoundReservation(const Policy& policy,
                             absl::Span<const Outcome> outcomes);

// What is left to charge to a counter of `policy` that has been charged the
// estimate, when the usage was `actual`; all of it, when nothing was reserved,
// and nothing when it is settled already. Negative: to be given back, but never
// what a window had that is over, nor what a bucket has forgotten since.
int64_t CostToSettle(const Policy& policy, const Reservation& reservation,
                     int64_t actual);

}  // namespace rls

#endif  // RLS_LIMIT_RESERVATION_H_
