// What a decision does of reservations: makes them, and settles them by
// reports.

#include <algorithm>

#include "limit/reservation.h"
#include "limiter/decision.h"

namespace rls {

CounterKey Decision::ReservationKey(size_t descriptor, const Usage& usage) {
  const Match& match = matches_[descriptor];
  std::vector<absl::string_view>& parts = Rare().reservation_keys.emplace_back(
      match.parts.begin(), match.parts.end());
  parts.push_back("request_id");
  parts.push_back(usage.request_id);
  const bool has_tag = match.tag_part < match.parts.size();
  return {.scope = domain_.usage()->reservation_scope,
          .parts = parts,
          .tag_part = has_tag ? match.tag_part : parts.size() - 1,
          .secret = match.secret};
}

void Decision::Reserve(size_t limit, const Usage& usage) {
  const int64_t estimate = std::min(usage.tokens.value_or(0), kMaxEstimate);
  charges_.push_back(ReservingCharge(
      domain_.usage()->reservation,
      ReservationKey(limits_[limit].descriptor, usage), estimate));
  charged_.push_back(limit);
}

void Decision::AddSettlement(size_t first_charge, const Usage& usage) {
  Rare().reports.push_back({.first_charge = first_charge,
                            .end_charge = charges_.size(),
                            .actual = usage.tokens.value_or(0)});
  const size_t descriptor = limits_.back().descriptor;
  for (const Charge& charge : ChargesToSettle(
           domain_.usage()->reservation, ReservationKey(descriptor, usage))) {
    rare_->settling_charges.push_back(charge);
  }
}

void Decision::Settle(absl::Span<const Outcome> outcomes) {
  for (const Settlement& settlement : rare_->reports) {
    const Reservation found =
        FoundReservation(domain_.usage()->reservation, outcomes);
    outcomes.remove_prefix(std::tuple_size_v<SettlingCharges>);
    for (size_t i = settlement.first_charge; i < settlement.end_charge; ++i) {
      Charge& charge = charges_[i];
      charge.cost = CostToSettle(*charge.policy, found, settlement.actual);
      limits_[charged_[i]].cost = charge.cost;
    }
  }
}

}  // namespace rls
