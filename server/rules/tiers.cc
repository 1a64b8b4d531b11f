#include "rules/tiers.h"

#include <utility>

#include "absl/strings/match.h"

namespace rls {
namespace {

constexpr absl::string_view kRemoteAddress = "remote_address";

const Entry* EntryOf(absl::Span<const Entry> entries, absl::string_view key) {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

}  // namespace

Tiers::Tiers(TierSpec spec, std::deque<CompiledRule>& rules)
    : identity_(std::move(spec.identity)),
      ask_unassigned_(spec.source.has_value()),
      ask_assigned_(ask_unassigned_ && spec.source->ask_assigned) {
  std::vector<const CompiledRule*> tiers;
  for (Rule& tier : spec.tiers) {
    rules.push_back({std::move(tier)});
    tiers.push_back(&rules.back());
    rule_of_tier_.emplace(rules.back().tier, &rules.back());
  }
  rules.push_back({std::move(spec.default_rule)});
  default_rule_ = &rules.back();
  rule_of_user_.reserve(spec.assignments.size());
  for (const auto& [user, tier] : spec.assignments) {
    rule_of_user_.emplace(user, tiers[tier]);
  }
}

void Tiers::Find(absl::Span<const Entry> entries, Match& match) const {
  match.rule = default_rule_;
  match.tag_part = 1;
  match.asks_source = false;
  // The first part tells the kinds apart, so that no user can be named so as
  // to share the counter of an address.
  if (const auto user = UserOf(entries)) {
    match.parts = {"user", *user};
    const auto it = rule_of_user_.find(*user);
    // A name that the configuration shows is no secret; any other may be a key,
    // under whichever identity it comes.
    match.secret = it == rule_of_user_.end();
    if (!match.secret) match.rule = it->second;
    match.asks_source = match.secret ? ask_unassigned_ : ask_assigned_;
    return;
  }
  match.secret = false;
  if (const Entry* address = EntryOf(entries, kRemoteAddress)) {
    match.parts = {kRemoteAddress, address->value};
  } else {
    match.parts = {"anonymous"};
  }
}

const CompiledRule* Tiers::RuleOfTier(absl::string_view tier) const {
  const auto it = rule_of_tier_.find(tier);
  return it == rule_of_tier_.end() ? nullptr : it->second;
}

std::optional<absl::string_view> Tiers::UserOf(
    absl::Span<const Entry> entries) const {
  for (const IdentityKey& identity : identity_) {
    const Entry* entry = EntryOf(entries, identity.key);
    if (entry == nullptr) continue;
    absl::string_view user = entry->value;
    if (absl::StartsWithIgnoreCase(user, identity.strip_prefix)) {
      user.remove_prefix(identity.strip_prefix.size());
    }
    return user;
  }
  return std::nullopt;
}

}  // namespace rls
