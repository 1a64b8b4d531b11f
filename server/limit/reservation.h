#ifndef RLS_LIMIT_RESERVATION_H_
#define RLS_LIMIT_RESERVATION_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limit/policy.h"

namespace rls {

// A reservation records the estimated tokens that a request was charged. It is
// kept under the request's id until a report states the real usage, which
// settles it (docs/decisions/0012-tokens-are-reserved-and-settled.md).
//
// A reservation is itself a counter, and all steps are charges of that counter.
// So every store can keep reservations, and any replica can settle them. The
// counter is a single window: it is forgotten `ttl` after the request. Its
// value is, when the id is
//   unknown   0
//   reserved  2^51 + 2 * estimate, and 1 more if it was settled before
//   settled   1
// So an id that is unknown or settled can be reserved, a reserved id cannot be
// reserved again, and a reservation is settled once.

// The policy of the counters of reservations.
Policy ReservationPolicy(absl::Duration ttl);

// The largest estimate.
inline constexpr int64_t kMaxEstimate = (int64_t{1} << 50) - 1;

// The charge that reserves the id. It is refused if the id is reserved already.
// Take it together with the charges of `estimate`: all or nothing.
Charge ReservingCharge(const Policy& policy, const CounterKey& key,
                       int64_t estimate);

inline bool IsReserving(const Charge& charge) {
  return charge.policy->algorithm == Algorithm::kSingleWindow;
}

// The charges by which a report settles the reservation, all in one take.
using SettlingCharges = std::array<Charge, 3>;
SettlingCharges ChargesToSettle(const Policy& policy, const CounterKey& key);

struct Reservation {
  enum class State { kUnknown, kReserved, kSettled };
  State state = State::kUnknown;
  int64_t estimate = 0;
  // Both by the clock of the store, and only if reserved.
  absl::Time made_at;
  absl::Time now;
};

// The reservation before the report, from the outcomes of ChargesToSettle().
Reservation FoundReservation(const Policy& policy,
                             absl::Span<const Outcome> outcomes);

// Units to charge to a counter of `policy` when the usage was `actual`. If the
// id is reserved, the counter already has the estimate: the result is the
// difference. If unknown: all of `actual`. If settled already: 0. A negative
// result is a refund. It leaves out units of a window that is over, and units
// that a bucket has dripped since.
int64_t CostToSettle(const Policy& policy, const Reservation& reservation,
                     int64_t actual);

}  // namespace rls

#endif  // RLS_LIMIT_RESERVATION_H_
