#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "limit/reservation.h"
#include "limiter/steps.h"
#include "rules/domain_spec.h"

namespace rls {
namespace {

// The statement of one descriptor about tokens (UsageSpec).
struct Usage {
  bool is_report = false;
  // The cost of the request. Nullopt: not known yet. The usage of a
  // report is the descriptor's own hits, else its tokens entry, else the hits
  // of the query: 0 without any of them, as in the report of a refused request.
  std::optional<int64_t> tokens;
  absl::string_view request_id;  // "": no id
};

// The cost of a descriptor for one limit.
struct Cost {
  int64_t units = 0;
  ChargeKind kind = ChargeKind::kEnforce;
};

// A report that settles a reservation.
struct Settlement {
  uint32_t descriptor = 0;
  int64_t actual = 0;  // tokens
};

struct UsageState final : StepState {
  // Of the counters of reservations. A deque keeps them in place.
  std::deque<std::vector<absl::string_view>> reservation_keys;
  std::vector<Settlement> settlements;
  std::vector<Charge> settling_charges;  // of all settlements, in their order
};

// Digits only. A number that is too large saturates.
std::optional<int64_t> ParseTokens(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t tokens = 0;
  for (const char digit : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(digit))) {
      return std::nullopt;
    }
    if (tokens < kMaxAmount) tokens = tokens * 10 + (digit - '0');
  }
  return std::min(tokens, kMaxAmount);
}

Usage ReadUsage(const UsageSpec& spec, const Query& query,
                const Descriptor& descriptor) {
  Usage usage;
  for (const Entry& entry : descriptor.entries) {
    if (entry.key == spec.report_key) {
      usage.is_report = entry.value == "report";
    } else if (entry.key == spec.tokens_key) {
      usage.tokens = ParseTokens(entry.value);
    } else if (entry.key == spec.request_id_key) {
      usage.request_id = entry.value;
    }
  }
  if (!usage.is_report) return usage;
  if (descriptor.hits.has_value()) {
    usage.tokens = SaturateAmount(*descriptor.hits);
  } else if (!usage.tokens.has_value()) {
    usage.tokens = query.hits;
  }
  return usage;
}

// `hits` as Demand::hits().
Cost CostInTokens(const Rule& rule, int64_t hits, const Usage& usage) {
  const int64_t tokens = usage.tokens.value_or(0);
  // The tokens are spent already, so they are charged even past the limit.
  if (usage.is_report) {
    return {hits < 0 ? -tokens : tokens, ChargeKind::kReport};
  }
  if (hits == 0 || (hits < 0 && tokens == 0)) return {0, ChargeKind::kPeek};
  if (hits < 0) return {-tokens, ChargeKind::kEnforce};
  // If the cost is not known yet, or could not be settled later, then only the
  // report is charged. A user without any tokens left is refused all the same.
  const bool is_charged =
      tokens > 0 && (!rule.reserves || !usage.request_id.empty());
  if (!is_charged) return {std::max<int64_t>(1, tokens), ChargeKind::kProbe};
  return {rule.reserves ? std::min(tokens, kMaxEstimate) : tokens,
          ChargeKind::kEnforce};
}

class UsageStep final : public Step<Demand> {
 public:
  UsageStep(Flow& flow, CounterStore& store) : flow_(flow), store_(store) {}

  bool Concerns(const Demand& request) const override {
    return request.domain().usage() != nullptr;
  }

  void Run(Demand request) override {
    const CompiledUsage* const spec = request.domain().usage();
    // The charges of one descriptor follow each other.
    const size_t charges = request.charges().size();
    bool has_reports = false;
    for (size_t begin = 0, end = 0; begin < charges; begin = end) {
      const uint32_t descriptor = request.limit(begin).descriptor;
      do {
        ++end;
      } while (end < charges && request.limit(end).descriptor == descriptor);
      const Usage usage = ReadUsage(*spec, request.query(),
                                    request.query().descriptors[descriptor]);
      ApplyUsage(request, begin, end, usage);
      has_reports |= usage.is_report;
    }
    if (has_reports) DropRequestLimits(request);
    auto* const state = request.FindState<UsageState>(this);
    if (state != nullptr && !state->settlements.empty()) {
      return Settle(std::move(request), *state);
    }
    flow_.Proceed(std::move(request));
  }

 private:
  // The charges in [begin, end) are those of one descriptor.
  void ApplyUsage(Demand& request, size_t begin, size_t end,
                  const Usage& usage) {
    const uint32_t descriptor = request.limit(begin).descriptor;
    const int64_t hits = request.hits(descriptor);
    std::optional<size_t> reserving;
    for (size_t i = begin; i < end; ++i) {
      AppliedLimit& limit = request.limit(i);
      const CompiledRule* const rule = limit.status.rule;
      if (rule == nullptr) continue;  // a limit override
      if (rule->counted == Counted::kTokens) {
        const Cost cost = CostInTokens(*rule, hits, usage);
        request.SetCost(i, cost.units, cost.kind);
      } else if (usage.is_report) {
        limit.status = LimitStatus{};
      }
      limit.settled_later = rule->reserves;
      if (rule->reserves) reserving = i;
    }
    if (!reserving.has_value() || usage.request_id.empty()) return;
    const bool refunds =
        request.query().descriptors[descriptor].is_negative_hits;
    if (usage.is_report && !refunds) {
      AddSettlement(request, descriptor, usage);
    } else if (!usage.is_report && hits > 0) {
      Reserve(request, *reserving, usage);
    }
  }

  // A report charges no limit of requests.
  static void DropRequestLimits(Demand& request) {
    request.RemoveChargesIf([&request](size_t charge) {
      return request.limit(charge).status.policy == nullptr;
    });
  }

  UsageState& StateOf(Demand& request) {
    auto* const state = request.FindState<UsageState>(this);
    return state != nullptr ? *state : request.MakeState<UsageState>(this);
  }

  CounterKey ReservationKey(Demand& request, uint32_t descriptor,
                            const Usage& usage) {
    const Match& match = request.match(descriptor);
    std::vector<absl::string_view>& parts =
        StateOf(request).reservation_keys.emplace_back(match.parts.begin(),
                                                       match.parts.end());
    parts.push_back("request_id");
    parts.push_back(usage.request_id);
    const bool has_tag = match.tag_part < match.parts.size();
    return {.scope = request.domain().usage()->reservation_scope,
            .parts = parts,
            .tag_part = has_tag ? match.tag_part : parts.size() - 1,
            .secret = match.secret};
  }

  void Reserve(Demand& request, size_t charge, const Usage& usage) {
    const int64_t estimate = std::min(usage.tokens.value_or(0), kMaxEstimate);
    request.AddRecord(
        charge,
        ReservingCharge(
            request.domain().usage()->reservation,
            ReservationKey(request, request.limit(charge).descriptor, usage),
            estimate));
  }

  void AddSettlement(Demand& request, uint32_t descriptor, const Usage& usage) {
    UsageState& state = StateOf(request);
    state.settlements.push_back(
        {.descriptor = descriptor, .actual = usage.tokens.value_or(0)});
    for (const Charge& charge :
         ChargesToSettle(request.domain().usage()->reservation,
                         ReservationKey(request, descriptor, usage))) {
      state.settling_charges.push_back(charge);
    }
  }

  // Reads and ends the reservations by a take of their own. Then the charges
  // are corrected by the estimates. From here on the reservations are gone, so
  // no deadline applies: no client waits for the answer to a report.
  void Settle(Demand request, const UsageState& state) {
    request.set_deadline(absl::InfiniteFuture());
    const Accounting accounting = request.accounting();
    store_.Take(
        state.settling_charges, accounting, absl::InfiniteFuture(),
        [this, request = std::move(request)](
            absl::StatusOr<absl::Span<const Outcome>> outcomes) mutable {
          if (!outcomes.ok()) {
            flow_.Proceed(std::move(request).Failed(outcomes.status()));
            return;
          }
          Correct(request, *outcomes);
          flow_.Proceed(std::move(request));
        });
  }

  void Correct(Demand& request, absl::Span<const Outcome> outcomes) {
    const Policy& reservation = request.domain().usage()->reservation;
    for (const Settlement& settlement : StateOf(request).settlements) {
      const Reservation found = FoundReservation(reservation, outcomes);
      outcomes.remove_prefix(std::tuple_size_v<SettlingCharges>);
      for (size_t i = 0; i < request.charges().size(); ++i) {
        AppliedLimit& limit = request.limit(i);
        if (limit.descriptor != settlement.descriptor) continue;
        Charge& charge = request.charge(i);
        charge.cost = limit.cost =
            CostToSettle(*charge.policy, found, settlement.actual);
      }
    }
  }

  Flow& flow_;
  CounterStore& store_;
};

}  // namespace

std::unique_ptr<Step<Demand>> NewUsage(Flow& flow, CounterStore& store) {
  return std::make_unique<UsageStep>(flow, store);
}

}  // namespace rls
