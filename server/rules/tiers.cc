#include "rules/tiers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "base/digest.h"

namespace rls {
namespace {

constexpr absl::string_view kRemoteAddress = "remote_address";

const Entry* EntryOf(absl::Span<const Entry> entries, absl::string_view key) {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

// Appends the rule and its further limits, linked by `next`. Returns the first.
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

// The user of a request. The hash is computed on first use, because most
// configurations do not need it.
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
      shown_users_(spec.shown_users),
      assignments_(std::move(spec.assignments)),
      hashed_assignments_(std::move(spec.hashed_assignments)),
      looks_up_unlisted_(spec.source.has_value()),
      looks_up_listed_(looks_up_unlisted_ && spec.source->ask_assigned) {
  for (Rule& tier : spec.tiers) {
    tiers_.push_back(Add(std::move(tier), rules));
    rule_of_tier_.emplace(tiers_.back()->tier, tiers_.back());
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
}

// The first part of a counter key is the kind of identity. So no user name can
// share the counter of an address.
void Tiers::Find(absl::Span<const Entry> entries, Match& match) const {
  match.rule = default_rule_;
  match.tag_part = 1;
  match.secret = false;
  match.needs_lookup = false;
  match.texts.clear();
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
    match.parts = {kRemoteAddress, BareAddress(address->value)};
  } else {
    match.parts = {"anonymous"};
  }
}

void Tiers::FindUser(const User& user, const Entry* address,
                     Match& match) const {
  const CompiledRule* listed = RuleOf(assignments_, user.name());
  // By default, a name that the configuration contains is not a secret. Any
  // other name may be an API key, under every identity key.
  const bool is_shown = listed == nullptr ? shown_users_ == ShownUsers::kAll
                                          : shown_users_ != ShownUsers::kNone;
  if (listed == nullptr && !hashed_assignments_.empty()) {
    listed = RuleOf(hashed_assignments_, user.hash());
  }
  match.needs_lookup =
      listed == nullptr ? looks_up_unlisted_ : looks_up_listed_;
  if (listed == nullptr && !match.needs_lookup && anonymous_rule_ != nullptr &&
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
  if (auto network = NetworkOf(address->value, anonymous_->networks)) {
    match.parts[1] = match.texts.emplace_front(*std::move(network));
  }
}

bool Tiers::IsExempt(const User* user, const Entry* address) const {
  if (user != nullptr && (exempt_->users.contains(user->name()) ||
                          (!exempt_->hashed_users.empty() &&
                           exempt_->hashed_users.contains(user->hash())))) {
    return true;
  }
  if (address == nullptr || exempt_->networks.empty()) return false;
  const auto parsed = ParseIpAddress(BareAddress(address->value));
  return parsed.has_value() &&
         std::any_of(
             exempt_->networks.begin(), exempt_->networks.end(),
             [&](const Network& network) { return network.Contains(*parsed); });
}

// Null if the user is not listed.
const CompiledRule* Tiers::RuleOf(
    const absl::flat_hash_map<std::string, size_t>& assignments,
    absl::string_view user) const {
  const auto it = assignments.find(user);
  return it == assignments.end() ? nullptr : tiers_[it->second];
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
