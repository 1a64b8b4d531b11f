#ifndef RLS_LIMITER_DECISION_PARTS_H_
#define RLS_LIMITER_DECISION_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limit/charge.h"
#include "limiter/verdict.h"
#include "metrics/metrics.h"
#include "rules/domain.h"

namespace rls {

// What a Decision keeps.

// One limit of one descriptor: what is asked of it and what it has said.
struct AppliedLimit {
  int64_t cost = 0;
  uint32_t descriptor = 0;
  ChargeKind kind = ChargeKind::kEnforce;
  LimitStatus status;
};

// A report of usage, by which a reservation is settled.
struct Settlement {
  size_t first_charge = 0;  // what it charges, to before `end_charge`
  size_t end_charge = 0;
  int64_t actual = 0;
};

// What most decisions do not need. It is apart from them, so that they stay
// small: many may be held at once. Charges point into it.
struct RareParts {
  std::deque<std::string> own_scopes;  // of callers' own limits
  // Of the counters of reservations.
  std::deque<std::vector<absl::string_view>> reservation_keys;
  std::vector<Settlement> reports;
  std::vector<Charge> settling_charges;  // of all reports
  std::vector<Policy> shares;            // of local charges
};

// A charge and the slot that it has booked.
struct BookedSlot {
  size_t charge = 0;
  absl::Time slot;
};

// Whether a charge may wait when it does not fit.
inline bool Queues(const Charge& charge) {
  return charge.policy->queue && charge.kind == ChargeKind::kEnforce &&
         charge.cost > 0;
}

// Of one that may wait.
struct Waiting {
  Counter* too_short = nullptr;
  absl::Duration wait;
  bool impatient = false;
  bool crowded = false;
  std::vector<Booking> bookings;  // the charges point into it
  std::vector<BookedSlot> booked;
  std::vector<Charge> returned;
};

}  // namespace rls

#endif  // RLS_LIMITER_DECISION_PARTS_H_
