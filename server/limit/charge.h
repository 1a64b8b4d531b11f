#ifndef RLS_LIMIT_CHARGE_H_
#define RLS_LIMIT_CHARGE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "limit/counter_key.h"
#include "limit/policy.h"

namespace rls {

enum class ChargeKind {
  kEnforce,  // judged and, when it fits, charged
  kObserve,  // as kEnforce, but its refusal denies nothing (shadow)
  kReport,   // always charged, even past the limit: usage known afterwards
  // Judged as if it cost nothing, so refused only past the limit (by a report,
  // or when the limit was lowered); never charged.
  kPeek,
  // Judged and refusing as kEnforce, so many units must be left; never charged.
  // For a cost that is known only afterwards.
  kProbe,
};

// Whether a refusal of such a charge refuses the whole Take.
inline bool Denies(ChargeKind kind) {
  return kind == ChargeKind::kEnforce || kind == ChargeKind::kProbe;
}

// Whether such a charge never changes its counter.
inline bool OnlyLooks(ChargeKind kind) {
  return kind == ChargeKind::kPeek || kind == ChargeKind::kProbe;
}

// How a kEnforce charge may wait for units of a later time, which is only for
// policies that queue; or what a refund gives back.
struct Booking {
  // At most; kMaxBookingWait at most.
  absl::Duration max_wait;
  // Units of the counter that may wait at once, those of this charge included.
  int64_t max_queued = 0;
  // Of a refund (a negative cost): gives back units of the slot that an outcome
  // named, and none of another. Of a policy that queues, only if nobody has
  // booked a later one: a hole before others' slots could be taken twice. Of
  // one that does not, only what still counts: nothing of a window that is
  // over, nor what a bucket has dripped since.
  std::optional<absl::Time> slot;
};

struct LeaseTerms;

// What a request asks of the store: one limit, one counter, one cost.
//
// Units: `cost` in -kMaxAmount..kMaxAmount; negative refunds, and a refund is
// never refused and never brings a counter below zero.
// Lifetime: `policy`, `booking`, `lease` and the views of `key` live until the
// store is done.
struct Charge {
  const Policy* policy = nullptr;
  CounterKey key;
  int64_t cost = 1;
  ChargeKind kind = ChargeKind::kEnforce;
  // Units of this counter may be given back, by whomever: what is known of it
  // elsewhere may be too much.
  bool refundable = false;
  const Booking* booking = nullptr;  // null: now or never
  // Null: never served from a lease. A store that leases nothing reads it not.
  const LeaseTerms* lease = nullptr;
};

// How the charges of one Take belong together.
enum class Accounting {
  // Enforced and observed charges are made only when every enforced one fits:
  // a denied request consumes nothing.
  kAllOrNothing,
  // Each charge stands alone, and what a fixed window refuses is counted all
  // the same, as envoyproxy/ratelimit does; not by one that queues, where it
  // would stand in the way of those that wait.
  kIndependent,
};

// What the store says of one charge.
struct Outcome {
  bool allowed = true;
  // Units that a request could still take now. 0 when nothing is left.
  int64_t remaining = 0;
  // Until the counter is as good as new if nobody charges it: the end of the
  // window, of the next one for a sliding window that has been used, or the
  // time when a token bucket is full again. Never negative.
  absl::Duration reset_after;
  // When not allowed: until the same charge could be allowed, if nobody else
  // charges; InfiniteDuration() when it never can be. Zero when allowed.
  absl::Duration retry_after;
  // When allowed: until then it must wait. `slot` names what it has booked, on
  // the clock of the store: the start of a window, or the time when a bucket
  // has dripped it.
  absl::Duration wait;
  absl::Time slot;
  // When not allowed: because too many wait already.
  bool crowded = false;
};

}  // namespace rls

#endif  // RLS_LIMIT_CHARGE_H_
