#include "limiter/phases.h"

#include <algorithm>
#include <forward_list>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "base/recycled.h"
#include "limiter/leading.h"
#include "rules/secret_keys.h"

namespace rls {

struct Decision : Recycled<Decision> {
  // The limit of a charge.
  struct Owner {
    uint32_t limit = 0;  // index into `limits`
    ChargeRole role = ChargeRole::kLimit;
  };

  Decision(std::shared_ptr<const RuleBook> rules, const Domain& of_domain,
           const Query& asked, const DecisionModes& of_process,
           Phase::DoneCallback callback)
      : book(std::move(rules)),
        domain(of_domain),
        query(asked),
        modes(of_process),
        done(std::move(callback)),
        deadline(asked.deadline),
        matches(asked.descriptors.size()) {
    verdict.query = &query;
    verdict.domain = &domain;
    verdict.statuses.resize(matches.size());
  }

  const std::shared_ptr<const RuleBook> book;
  const Domain& domain;
  const Query& query;
  const DecisionModes& modes;
  Phase::DoneCallback done;
  absl::Time deadline;
  CounterStore* store = nullptr;
  size_t next_step = 0;
  std::unique_ptr<StepState> states;  // a list

  absl::InlinedVector<Match, kUsualDescriptors> matches;  // by descriptor
  absl::InlinedVector<AppliedLimit, kUsualDescriptors> limits;
  absl::InlinedVector<Charge, kUsualDescriptors> charges;
  absl::InlinedVector<Owner, kUsualDescriptors> owners;  // by charge
  std::forward_list<std::string> override_scopes;  // charges point into it

  absl::Status status;
  absl::Span<const Outcome> outcomes;  // by charge
  Verdict verdict;
};

void DecisionDeleter::operator()(Decision* decision) const { delete decision; }

namespace {

void FindRules(Decision& d) {
  for (size_t i = 0; i < d.matches.size(); ++i) {
    const Descriptor& descriptor = d.query.descriptors[i];
    Match& match = d.matches[i];
    if (!descriptor.limit_override.has_value()) {
      d.domain.Find(descriptor.entries, match);
      continue;
    }
    for (const Entry& entry : descriptor.entries) {
      match.parts.push_back(entry.key);
      match.parts.push_back(entry.value);
      match.secret |= HoldsSecrets(entry.key);
    }
  }
}

// A rule is dropped if any other matched rule replaces its name. The order of
// the descriptors does not matter, and a dropped rule still drops others.
void DropReplaced(absl::Span<Match> matches) {
  const auto replaces = [](const Match& match) {
    return match.rule != nullptr && !match.rule->replaces.empty();
  };
  if (std::none_of(matches.begin(), matches.end(), replaces)) return;
  absl::flat_hash_set<absl::string_view> replaced;
  for (const Match& match : matches) {
    const CompiledRule* const rule = match.rule;
    if (rule == nullptr) continue;
    replaced.insert(rule->replaces.begin(), rule->replaces.end());
  }
  for (Match& match : matches) {
    const CompiledRule* const rule = match.rule;
    if (rule == nullptr || rule->unlimited) continue;
    if (replaced.contains(rule->name)) match.rule = nullptr;
  }
}

int64_t HitsOf(const Query& query, const Descriptor& descriptor) {
  // In a request, 0 means 1. In a descriptor, 0 means a look without a charge.
  const uint64_t hits =
      descriptor.hits.value_or(query.hits == 0 ? 1 : query.hits);
  const int64_t cost = SaturateAmount(hits);
  return descriptor.is_negative_hits ? -cost : cost;
}

// A shadow rule never refuses. A quota rule refuses only together with all
// other quota rules of the request, so the store must not let it stop the other
// charges either.
ChargeKind KindOf(const Decision& d, const CompiledRule* rule,
                  const Descriptor& descriptor, int64_t cost) {
  if (cost == 0) return ChargeKind::kPeek;
  const bool observe =
      d.modes.observes() || (rule != nullptr && (rule->shadow || rule->quota));
  if (descriptor.hits.has_value() && cost > 0 &&
      (rule == nullptr || rule->stated_hits == StatedHits::kCharge)) {
    return observe ? ChargeKind::kStatedObserve : ChargeKind::kStated;
  }
  return observe ? ChargeKind::kObserve : ChargeKind::kEnforce;
}

// `rule` is null for a limit override.
void AddLimit(Decision& d, size_t descriptor, const CompiledRule* rule,
              const Policy& policy) {
  const Match& match = d.matches[descriptor];
  const absl::string_view scope =
      rule != nullptr ? rule->scope
                      : d.override_scopes.emplace_front(
                            CounterScope(d.domain.name(), policy));
  const Descriptor& asked = d.query.descriptors[descriptor];
  const int64_t cost = HitsOf(d.query, asked);
  const ChargeKind kind = KindOf(d, rule, asked, cost);
  d.owners.push_back({.limit = static_cast<uint32_t>(d.limits.size())});
  d.charges.push_back({.policy = &policy,
                       .key = {.scope = scope,
                               .parts = match.parts,
                               .tag_part = match.tag_part,
                               .secret = match.secret},
                       .cost = cost,
                       .kind = kind,
                       // Any descriptor may refund a limit override.
                       .refundable = rule == nullptr || rule->refundable,
                       .lease = rule != nullptr && rule->lease.has_value()
                                    ? &*rule->lease
                                    : nullptr});
  AppliedLimit& limit = d.limits.emplace_back();
  limit.descriptor = static_cast<uint32_t>(descriptor);
  limit.cost = cost;
  limit.kind = kind;
  limit.status.policy = &policy;
  limit.status.rule = rule;
  limit.status.secret = match.secret;
}

void AddLimits(Decision& d, size_t descriptor) {
  const auto& limit_override = d.query.descriptors[descriptor].limit_override;
  if (limit_override.has_value()) {
    AddLimit(d, descriptor, nullptr, *limit_override);
    return;
  }
  const CompiledRule* rule = d.matches[descriptor].rule;
  if (rule != nullptr && rule->unlimited) {
    d.verdict.statuses[descriptor].rule = rule;
    d.verdict.statuses[descriptor].unlimited = true;
    return;
  }
  for (; rule != nullptr; rule = rule->next) {
    AddLimit(d, descriptor, rule, rule->policy);
  }
}

}  // namespace

const Query& Phase::query() const { return decision_->query; }
const Domain& Phase::domain() const { return decision_->domain; }
Phase::DoneCallback& Phase::done() { return decision_->done; }
size_t& Phase::next_step() { return decision_->next_step; }

StepState* Phase::Find(const void* step) const {
  StepState* state = decision_->states.get();
  while (state != nullptr && state->step_ != step) state = state->next_.get();
  return state;
}

void Phase::Add(const void* step, std::unique_ptr<StepState> state) {
  state->step_ = step;
  state->next_ = std::move(decision_->states);
  decision_->states = std::move(state);
}

Matched::Matched(std::shared_ptr<const RuleBook> book, const Domain& domain,
                 const Query& query, const DecisionModes& modes,
                 DoneCallback done)
    : Phase(new Decision(std::move(book), domain, query, modes,
                         std::move(done))) {
  FindRules(*decision_);
}

absl::Span<Match> Matched::matches() {
  return absl::MakeSpan(decision_->matches);
}

absl::Span<const Match> Matched::matches() const { return decision_->matches; }

Demand Matched::Plan() && {
  Decision& d = *decision_;
  DropReplaced(matches());
  for (size_t i = 0; i < d.matches.size(); ++i) AddLimits(d, i);
  d.next_step = 0;
  return Demand(decision_.release());
}

absl::Span<const Charge> Planned::charges() const { return decision_->charges; }

AppliedLimit& Planned::limit(size_t charge) {
  return decision_->limits[decision_->owners[charge].limit];
}

const AppliedLimit& Planned::limit(size_t charge) const {
  return decision_->limits[decision_->owners[charge].limit];
}

ChargeRole Planned::role(size_t charge) const {
  return decision_->owners[charge].role;
}

absl::Span<const AppliedLimit> Planned::limits() const {
  return decision_->limits;
}

Accounting Planned::accounting() const {
  return decision_->domain.accounting().value_or(
      decision_->modes.default_accounting);
}

Charge& Demand::charge(size_t charge) { return decision_->charges[charge]; }

void Demand::SetCost(size_t charge, int64_t cost, ChargeKind kind) {
  if (kind == ChargeKind::kEnforce && decision_->modes.observes()) {
    kind = ChargeKind::kObserve;
  }
  AppliedLimit& applied = limit(charge);
  Charge& changed = decision_->charges[charge];
  changed.cost = applied.cost = cost;
  changed.kind = applied.kind = kind;
  // A refused probe would deny the take. ShowOutcome() compares a look instead.
  if (kind == ChargeKind::kProbe && decision_->modes.observes()) {
    changed.kind = ChargeKind::kPeek;
  }
}

const Match& Demand::match(size_t descriptor) const {
  return decision_->matches[descriptor];
}

int64_t Demand::hits(size_t descriptor) const {
  return HitsOf(query(), query().descriptors[descriptor]);
}

void Demand::AddRecord(size_t beside, const Charge& charge) {
  const uint32_t limit = decision_->owners[beside].limit;
  decision_->owners.push_back({.limit = limit, .role = ChargeRole::kRecord});
  decision_->charges.push_back(charge);
}

void Demand::MakeSubstitute(size_t charge) {
  decision_->owners[charge].role = ChargeRole::kSubstitute;
}

void Demand::RemoveChargesIf(absl::FunctionRef<bool(size_t)> is_removed) {
  Decision& d = *decision_;
  size_t kept = 0;
  for (size_t i = 0; i < d.charges.size(); ++i) {
    if (is_removed(i)) continue;
    d.charges[kept] = d.charges[i];
    d.owners[kept] = d.owners[i];
    ++kept;
  }
  d.charges.resize(kept);
  d.owners.resize(kept);
}

absl::Time Demand::deadline() const { return decision_->deadline; }
void Demand::set_deadline(absl::Time deadline) {
  decision_->deadline = deadline;
}

CounterStore* Demand::store() const { return decision_->store; }
void Demand::set_store(CounterStore& store) { decision_->store = &store; }

Taken Demand::Answered(absl::Span<const Outcome> outcomes) && {
  for (size_t i = 0; i < outcomes.size(); ++i) Apply(outcomes[i], i);
  decision_->status = absl::OkStatus();
  decision_->outcomes = outcomes;
  decision_->next_step = 0;
  return Taken(decision_.release());
}

Taken Demand::Failed(absl::Status status) && {
  decision_->status = std::move(status);
  decision_->outcomes = {};
  decision_->next_step = 0;
  return Taken(decision_.release());
}

void Demand::Apply(const Outcome& outcome, size_t charge) {
  if (role(charge) != ChargeRole::kLimit && outcome.allowed) return;
  ShowOutcome(outcome, decision_->charges[charge], limit(charge));
}

const absl::Status& Taken::status() const { return decision_->status; }
absl::Span<const Outcome> Taken::outcomes() const {
  return decision_->outcomes;
}

bool Taken::is_over_limit() const {
  const Decision& d = *decision_;
  return !d.modes.shadow && IsExceeded(d.limits, d.verdict.statuses, d.modes);
}

void Taken::ShortenResets(absl::Duration wait) {
  for (AppliedLimit& limit : decision_->limits) {
    limit.status.reset =
        std::max(absl::ZeroDuration(), limit.status.reset - wait);
  }
}

void Taken::Degrade(const DegradeRule& rule, absl::string_view model) {
  decision_->verdict.degraded = &rule;
  decision_->verdict.model = model;
}

bool Taken::is_degraded() const {
  return decision_->verdict.degraded != nullptr;
}

Demand Taken::Again() && { return Demand(decision_.release()); }

const Verdict& Taken::Conclude() {
  const Decision& d = *decision_;
  Verdict& verdict = decision_->verdict;
  const bool exceeded = IsExceeded(d.limits, verdict.statuses, d.modes);
  verdict.over_limit = exceeded && !d.modes.shadow;
  verdict.shadowed = exceeded && d.modes.shadow;
  if (verdict.over_limit) verdict.degraded = nullptr;
  ShowLimits();
  const bool has_tiers = d.domain.usage() != nullptr;
  verdict.leading = has_tiers
                        ? LeadingOfTiers(verdict.statuses, verdict.over_limit)
                        : LeadingOfDescriptors(verdict.statuses, d.modes);
  Count();
  return verdict;
}

// Of several limits of a descriptor, one that is over goes before the others;
// among equals the leading one.
void Taken::ShowLimits() {
  for (const AppliedLimit& limit : decision_->limits) {
    const LimitStatus& status = limit.status;
    LimitStatus& shown = decision_->verdict.statuses[limit.descriptor];
    if (status.policy == nullptr) continue;
    if (shown.policy == nullptr || (status.over_limit && !shown.over_limit) ||
        (status.over_limit == shown.over_limit &&
         Leads(status, shown, status.over_limit))) {
      shown = status;
    }
  }
}

void Taken::Count() {
  const bool over_limit = decision_->verdict.over_limit;
  for (const AppliedLimit& limit : decision_->limits) {
    const LimitStatus& status = limit.status;
    if (status.policy == nullptr || status.rule == nullptr) continue;
    const RuleCounters& counters = status.rule->counters;
    const auto cost = static_cast<double>(limit.cost);
    if (limit.shadowed) counters.shadowed->Add(cost);
    if (over_limit && !status.over_limit && !AlwaysCharges(limit.kind)) {
      continue;
    }
    Counter* const counter = status.over_limit ? counters.over_limit
                             : status.degraded ? counters.degraded
                                               : counters.ok;
    const bool was_charged = !OnlyLooks(limit.kind) || counter != counters.ok;
    if (limit.cost > 0 && was_charged) counter->Add(cost);
  }
}

}  // namespace rls
