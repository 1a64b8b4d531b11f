#include "limit/reservation.h"

#include <algorithm>

#include "limit/algorithms.h"

namespace rls {
namespace {

constexpr int64_t kReserved = int64_t{1} << 51;
constexpr int64_t kSettled = 1;

bool InOneWindow(const Policy& policy, absl::Time a, absl::Time b) {
  return WindowAt(policy, absl::ToUnixNanos(a)).start_ns ==
         WindowAt(policy, absl::ToUnixNanos(b)).start_ns;
}

// Units of the estimate that still count in a bucket that was full before.
int64_t LeftInBucket(const Policy& policy, const Reservation& reservation) {
  const int64_t age_ns = std::max<int64_t>(
      0, absl::ToInt64Nanoseconds(reservation.now - reservation.made_at));
  const int64_t forgotten =
      MulDivCeil(age_ns, policy.limit, absl::ToInt64Nanoseconds(policy.window));
  return std::max<int64_t>(0, reservation.estimate - forgotten);
}

}  // namespace

Transition JudgeSingleWindow(const Policy& policy, const CounterState& before,
                             const ChargeInput& input) {
  const int64_t length_ns = absl::ToInt64Nanoseconds(policy.window);
  CounterState state = before;
  if (before.anchor_ns == CounterState::kNeverCharged ||
      input.now_ns >= before.anchor_ns + length_ns) {
    state = {.anchor_ns = AlignDown(input.now_ns, kMillisecondNs)};
  }
  const int64_t end_ns = state.anchor_ns + length_ns;
  Transition transition{.after = before, .outcome = {}};
  Outcome& outcome = transition.outcome;
  outcome.allowed =
      input.always || input.cost < 0 || state.used + input.cost <= policy.limit;
  if (!outcome.allowed) {
    outcome.retry_after = input.cost > policy.limit
                              ? absl::InfiniteDuration()
                              : absl::Nanoseconds(end_ns - input.now_ns);
  } else {
    outcome.slot = absl::FromUnixNanos(state.anchor_ns);
    ChargeWindow(input, state, transition);
  }
  outcome.remaining = ClampTo(policy.limit - state.used, 0, kMaxAmount);
  outcome.reset_after = absl::Nanoseconds(end_ns - input.now_ns);
  return transition;
}

Policy ReservationPolicy(absl::Duration ttl) {
  return {.algorithm = Algorithm::kSingleWindow,
          .limit = 2 * kReserved - 1,
          .window = ttl};
}

Charge ReservingCharge(const Policy& policy, const CounterKey& key,
                       int64_t estimate) {
  return {.policy = &policy,
          .key = key,
          .cost = kReserved + 2 * estimate,
          .refundable = true};
}

SettlingCharges ChargesToSettle(const Policy& policy, const CounterKey& key) {
  Charge look{.policy = &policy,
              .key = key,
              .cost = 0,
              .kind = ChargeKind::kPeek,
              .refundable = true};
  Charge clear = look;
  clear.cost = -kMaxAmount;
  clear.kind = ChargeKind::kReport;
  Charge mark = clear;
  mark.cost = kSettled;
  return {look, clear, mark};
}

Reservation FoundReservation(const Policy& policy,
                             absl::Span<const Outcome> outcomes) {
  const Outcome& look = outcomes[0];
  const int64_t used = policy.limit - look.remaining;
  Reservation found;
  if (used == kSettled) found.state = Reservation::State::kSettled;
  if (used < kReserved) return found;
  found.state = Reservation::State::kReserved;
  found.estimate = (used - kReserved) / 2;
  found.made_at = look.slot;
  found.now = look.slot + policy.window - look.reset_after;
  return found;
}

int64_t CostToSettle(const Policy& policy, const Reservation& reservation,
                     int64_t actual) {
  if (reservation.state == Reservation::State::kUnknown) return actual;
  if (reservation.state == Reservation::State::kSettled) return 0;
  const int64_t cost = actual - reservation.estimate;
  if (cost >= 0) return cost;
  if (policy.algorithm == Algorithm::kTokenBucket) {
    return std::max(cost, -LeftInBucket(policy, reservation));
  }
  return InOneWindow(policy, reservation.made_at, reservation.now) ? cost : 0;
}

}  // namespace rls
