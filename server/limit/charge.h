#ifndef RLS_LIMIT_CHARGE_H_
#define RLS_LIMIT_CHARGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/policy.h"

namespace rls {

// The name of a counter. The scope is the domain and the shape of the window,
// so that counters of different shapes never share a state. The parts identify
// one counter of the scope: keys and values of descriptor entries, alternating.
//
// Two keys are equal if their scopes, their numbers of parts and all their
// parts are equal byte for byte. Parts may hold any bytes. A store must escape
// them or prefix their lengths, so that two different keys never collide.
//
// `tag_part` and `secret` do not identify the counter. They are for a store
// that shows keys to people or distributes them over servers.
//
// Lifetime: views only. The text must live until the store's callback has run.
struct CounterKey {
  absl::string_view scope;
  absl::Span<const absl::string_view> parts;
  // The index of the part in which most counters of the scope differ, such as
  // the user. A cluster keeps the counters of one user on one server.
  size_t tag_part = 1;
  // The values (parts with an odd index) may be secrets, such as API keys.
  bool secret = false;
};

enum class ChargeKind {
  kEnforce,  // charged if it fits, else refused
  kObserve,  // like kEnforce, but its refusal does not deny the take (shadow)
  kReport,   // always charged, even past the limit: usage known afterwards
  // Never charged. Refused only if the counter is past its limit, because of a
  // report or because the limit was lowered.
  kPeek,
  // Never charged. Refused if kEnforce would be refused: `cost` units must be
  // left. For requests whose real cost is known only afterwards.
  kProbe,
  // Always charged, even past the limit, like kReport. Refused if the counter
  // is past its limit afterwards: units that are used already, and of which the
  // gateway wants to know whether they were too many.
  kStated,
  kStatedObserve,  // like kStated, but its refusal does not deny the take
};

// Whether the refusal of such a charge denies the whole take.
inline bool Denies(ChargeKind kind) {
  return kind == ChargeKind::kEnforce || kind == ChargeKind::kProbe ||
         kind == ChargeKind::kStated;
}

// Whether such a charge is made even if it does not fit.
inline bool AlwaysCharges(ChargeKind kind) {
  return kind == ChargeKind::kReport || kind == ChargeKind::kStated ||
         kind == ChargeKind::kStatedObserve;
}

// Whether such a charge never changes its counter.
inline bool OnlyLooks(ChargeKind kind) {
  return kind == ChargeKind::kPeek || kind == ChargeKind::kProbe;
}

// How long a kEnforce charge may wait for units of a later time, if the policy
// queues; or the slot that a refund gives back.
struct Booking {
  // The longest wait; at most kMaxBookingWait.
  absl::Duration max_wait;
  // The most units of the counter that may wait at once, including this charge.
  int64_t max_queued = 0;
  // For a refund (a negative cost): the slot (Outcome::slot) whose units it
  // gives back. It changes no other slot. If the policy queues, the refund
  // works only for the last booked slot: a hole before other slots could be
  // taken twice. If not, it gives back only units that still count: not those
  // of a window that is over, and not those that a bucket has dripped since.
  std::optional<absl::Time> slot;
};

struct LeaseTerms;

// One limit, one counter, one cost: an element of a take.
//
// Units: `cost` in -kMaxAmount..kMaxAmount. A negative cost is a refund; it is
// never refused and never brings a counter below zero.
// Lifetime: `policy`, `booking`, `lease` and the views of `key` must live until
// the store's callback has run.
struct Charge {
  const Policy* policy = nullptr;
  CounterKey key;
  int64_t cost = 1;
  ChargeKind kind = ChargeKind::kEnforce;
  // Some client may give units of this counter back, so a remembered state of
  // the counter may be out of date.
  bool refundable = false;
  const Booking* booking = nullptr;   // null: the charge cannot wait
  const LeaseTerms* lease = nullptr;  // null: no lease serves the charge
};

// How the charges of one take depend on each other.
enum class Accounting {
  // Enforced and observed charges are made only if all enforced charges fit: a
  // denied request consumes nothing.
  kAllOrNothing,
  // Each charge stands alone. A fixed window counts refused charges too, as
  // envoyproxy/ratelimit does. A fixed window that queues does not: refused
  // charges would delay the requests that wait.
  kIndependent,
};

// The store's answer for one charge.
struct Outcome {
  bool allowed = true;
  // Units that a request could take now.
  int64_t remaining = 0;
  // The time until the counter behaves like an unused one, if no further charge
  // comes: the end of the window; for a used sliding window, the end of the
  // next window; for a token bucket, the time when it is full. Never negative.
  absl::Duration reset_after;
  // If refused: the time until the same charge could fit, if no other charge
  // comes; InfiniteDuration() if it never fits. Zero if allowed.
  absl::Duration retry_after;
  // If allowed: the request must wait for this long. `slot` identifies the
  // booked units by the clock of the store: the start of a window, or the time
  // when a bucket has dripped them.
  absl::Duration wait;
  absl::Time slot;
  // If refused: the queue is full.
  bool crowded = false;
  // For statistics. If refused: the units that a request could have taken
  // before the charge, which a stated or an independent charge uses up; and
  // whether the store refused from memory, without asking the shared store.
  int64_t left_before = 0;
  bool from_memory = false;
};

}  // namespace rls

#endif  // RLS_LIMIT_CHARGE_H_
