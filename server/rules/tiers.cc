#include "rules/tiers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "net/digest.h"

namespace rls {
namespace {

constexpr absl::string_view kRemoteAddress = "remote_address";

const Entry* EntryOf(absl::Span<const Entry> entries, absl::string_view key) {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

using RulesByName = absl::flat_hash_map<std::string, const CompiledRule*>;

const CompiledRule* FindOrNull(const RulesByName& rules,
                               absl::string_view name) {
  const auto it = rules.find(name);
  return it == rules.end() ? nullptr : it->second;
}

// The rule, and behind it those of the limits beside it.
const CompiledRule* Add(Rule rule, std::deque<CompiledRule>& rules) {
  std::vector<Rule> more = std::exchange(rule.more, {});
  rules.push_back({std::move(rule)});
  CompiledRule* const first = &rules.back();
  CompiledRule* last = first;
  for (Rule& one : more) {
    rules.push_back({std::move(one)});
    last->next = &rules.back();
    last = &rules.back();
  }
  return first;
}

}  // namespace

// Who asks; hashed at most once, and only where somebody is listed by hash.
class Tiers::User {
 public:
  explicit User(absl::string_view name) : name_(name) {}

  absl::string_view name() const { return name_; }
  const std::string& hash() const {
    if (hash_.empty()) hash_ = Sha256Hex(name_);
    return hash_;
  }

 private:
  const absl::string_view name_;
  mutable std::string hash_;
};

Tiers::Tiers(TierSpec spec, std::deque<CompiledRule>& rules)
    : identity_(std::move(spec.identity)),
      ask_unassigned_(spec.source.has_value()),
      ask_assigned_(ask_unassigned_ && spec.source->ask_assigned) {
  std::vector<const CompiledRule*> tiers;
  for (Rule& tier : spec.tiers) {
    tiers.push_back(Add(std::move(tier), rules));
    rule_of_tier_.emplace(tiers.back()->tier, tiers.back());
  }
  default_rule_ = Add(std::move(spec.default_rule), rules);
  anonymous_ = std::move(spec.anonymous);
  if (anonymous_.has_value()) {
    anonymous_rule_ = Add(anonymous_->rule, rules);
  }
  exempt_ = std::move(spec.exempt);
  if (exempt_.has_value()) {
    exempt_rule_ = Add(Rule{.path = "exempt", .unlimited = true}, rules);
  }
  for (const auto& [hash, tier] : spec.hashed_assignments) {
    rule_of_hash_.emplace(hash, tiers[tier]);
  }
  rule_of_user_.reserve(spec.assignments.size());
  for (const auto& [user, tier] : spec.assignments) {
    rule_of_user_.emplace(user, tiers[tier]);
  }
}

// The first part of a key tells the kinds apart, so that no user can be named
// so as to share the counter of an address.
void Tiers::Find(absl::Span<const Entry> entries, Match& match) const {
  match.rule = default_rule_;
  match.tag_part = 1;
  match.secret = false;
  match.asks_source = false;
  std::optional<User> user;
  if (const auto name = UserOf(entries)) user.emplace(*name);
  const Entry* const address = EntryOf(entries, kRemoteAddress);
  if (exempt_.has_value() &&
      IsExempt(user.has_value() ? &*user : nullptr, address)) {
    match.rule = exempt_rule_;
    match.parts = {"exempt"};
  } else if (user.has_value()) {
    FindUser(*user, address, match);
  } else if (anonymous_rule_ != nullptr) {
    FindAnonymous(address, match);
  } else if (address != nullptr) {
    match.parts = {kRemoteAddress, address->value};
  } else {
    match.parts = {"anonymous"};
  }
}

void Tiers::FindUser(const User& user, const Entry* address,
                     Match& match) const {
  const CompiledRule* listed = FindOrNull(rule_of_user_, user.name());
  // A name that the configuration shows is no secret; any other may be a key,
  // under whichever identity it comes.
  const bool is_shown = listed != nullptr;
  if (!is_shown && !rule_of_hash_.empty()) {
    listed = FindOrNull(rule_of_hash_, user.hash());
  }
  match.asks_source = listed == nullptr ? ask_unassigned_ : ask_assigned_;
  if (listed == nullptr && !match.asks_source && anonymous_rule_ != nullptr &&
      anonymous_->unknown_users) {
    FindAnonymous(address, match);
    return;
  }
  match.parts = {"user", user.name()};
  match.secret = !is_shown;
  if (listed != nullptr) match.rule = listed;
}

void Tiers::FindAnonymous(const Entry* address, Match& match) const {
  match.rule = anonymous_rule_;
  if (!anonymous_->by_address || address == nullptr) {
    match.parts = {"anonymous"};
    return;
  }
  match.parts = {kRemoteAddress, address->value};
  if (const auto parsed = ParseIpAddress(address->value)) {
    match.text = parsed->NetworkText(parsed->is_v4 ? anonymous_->ipv4_prefix
                                                   : anonymous_->ipv6_prefix);
    match.parts[1] = match.text;
  }
}

bool Tiers::IsExempt(const User* user, const Entry* address) const {
  if (user != nullptr && (exempt_->users.contains(user->name()) ||
                          (!exempt_->hashed_users.empty() &&
                           exempt_->hashed_users.contains(user->hash())))) {
    return true;
  }
  if (address == nullptr || exempt_->networks.empty()) return false;
  const auto parsed = ParseIpAddress(address->value);
  return parsed.has_value() &&
         std::any_of(
             exempt_->networks.begin(), exempt_->networks.end(),
             [&](const Network& network) { return network.Contains(*parsed); });
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
