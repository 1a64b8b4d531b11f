// What a decision does before it charges: finds the limits of the descriptors
// and what is asked of them.

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "limiter/decision.h"

namespace rls {
namespace {

// A shadow rule never denies; a quota rule only together with all other quota
// rules of the request, so the store must not let it stop its siblings either.
ChargeKind KindOf(const CompiledRule* rule, int64_t cost) {
  if (cost == 0) return ChargeKind::kPeek;
  if (rule != nullptr && (rule->shadow || rule->quota)) {
    return ChargeKind::kObserve;
  }
  return ChargeKind::kEnforce;
}

}  // namespace

void Decision::FindLimits() {
  for (size_t i = 0; i < matches_.size(); ++i) {
    const Descriptor& descriptor = query_.descriptors[i];
    Match& match = matches_[i];
    if (descriptor.limit_override.has_value()) {
      for (const Entry& entry : descriptor.entries) {
        match.parts.push_back(entry.key);
        match.parts.push_back(entry.value);
        match.secret |= HoldsSecrets(entry.key);
      }
      continue;
    }
    domain_.Find(descriptor.entries, match);
    if (match.asks_source) ++asks_;
  }
}

// Every matched rule whose name another matched rule lists is dropped, in
// whatever order they come; a dropped one still drops others.
void Decision::DropReplaced() {
  absl::flat_hash_set<absl::string_view> replaced;
  for (const Match& match : matches_) {
    const CompiledRule* const rule = match.rule;
    if (rule == nullptr) continue;
    replaced.insert(rule->replaces.begin(), rule->replaces.end());
  }
  if (replaced.empty()) return;
  for (Match& match : matches_) {
    const CompiledRule* const rule = match.rule;
    if (rule == nullptr || rule->unlimited) continue;
    if (replaced.contains(rule->name)) match.rule = nullptr;
  }
}

void Decision::MakeCharges() {
  DropReplaced();
  for (size_t i = 0; i < matches_.size(); ++i) {
    const Descriptor& descriptor = query_.descriptors[i];
    const CompiledRule* const rule = matches_[i].rule;
    if (descriptor.limit_override.has_value()) {
      const int64_t hits = HitsOf(descriptor);
      AddLimit(i, nullptr, *descriptor.limit_override,
               {hits, KindOf(nullptr, hits)});
    } else if (rule != nullptr && rule->unlimited) {
      verdict_.statuses[i].rule = rule;
      verdict_.statuses[i].unlimited = true;
    } else if (rule != nullptr) {
      AddLimits(i);
    }
  }
}

void Decision::AddLimits(size_t descriptor) {
  const Descriptor& said = query_.descriptors[descriptor];
  const int64_t hits = HitsOf(said);
  const CompiledUsage* const spec = domain_.usage();
  const Usage usage =
      spec == nullptr ? Usage() : ReadUsage(*spec, query_, said);
  const size_t first_charge = charges_.size();
  std::optional<size_t> reserving;
  for (const CompiledRule* rule = matches_[descriptor].rule; rule != nullptr;
       rule = rule->next) {
    if (rule->counted == Counted::kTokens) {
      AddLimit(descriptor, rule, rule->policy, TokensAsked(*rule, hits, usage));
    } else if (!usage.is_report) {
      AddLimit(descriptor, rule, rule->policy, {hits, KindOf(rule, hits)});
    }
    if (rule->reserves) reserving = limits_.size() - 1;
  }
  if (!reserving.has_value() || usage.request_id.empty()) return;
  if (usage.is_report && !said.is_negative_hits) {
    AddSettlement(first_charge, usage);
  } else if (!usage.is_report && hits > 0) {
    Reserve(*reserving, usage);
  }
}

void Decision::AddLimit(size_t descriptor, const CompiledRule* rule,
                        const Policy& policy, Asked asked) {
  const Match& match = matches_[descriptor];
  const absl::string_view scope =
      rule != nullptr ? rule->scope
                      : Rare().own_scopes.emplace_back(
                            CounterScope(domain_.name(), policy));
  charges_.push_back({.policy = &policy,
                      .key = {.scope = scope,
                              .parts = match.parts,
                              .tag_part = match.tag_part,
                              .secret = match.secret},
                      .cost = asked.cost,
                      .kind = asked.kind,
                      // A caller's own limit is its business.
                      .refundable = rule == nullptr || rule->refundable,
                      .lease = rule != nullptr && rule->lease.has_value()
                                   ? &*rule->lease
                                   : nullptr});
  charged_.push_back(limits_.size());
  AppliedLimit& limit = limits_.emplace_back();
  limit.descriptor = static_cast<uint32_t>(descriptor);
  limit.cost = asked.cost;
  limit.kind = asked.kind;
  limit.status.policy = &policy;
  limit.status.rule = rule;
  queues_ |= Queues(charges_.back());
}

int64_t Decision::HitsOf(const Descriptor& descriptor) const {
  // In a request, 0 means 1; in a descriptor, 0 looks without charging.
  const uint64_t hits =
      descriptor.hits.value_or(query_.hits == 0 ? 1 : query_.hits);
  const int64_t cost = SaturateAmount(hits);
  return descriptor.is_negative_hits ? -cost : cost;
}

}  // namespace rls
