#ifndef RLS_RULES_TIERS_H_
#define RLS_RULES_TIERS_H_

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "rules/domain.h"
#include "rules/domain_spec.h"

namespace rls {

// Finds the user of a descriptor, and the rule of the user's tier.
class Tiers {
 public:
  // Appends rules to `rules`, in the order of Domain::ForEachRule().
  // Lifetime: `rules` must outlive the object, which points into it.
  Tiers(TierSpec spec, std::deque<CompiledRule>& rules);

  // Domain::Find(). The counter key contains the user, not the tier, so used
  // units stay counted when the user's tier changes.
  void Find(absl::Span<const Entry> entries, Match& match) const;

  // Null if there is no such tier.
  const CompiledRule* RuleOfTier(absl::string_view tier) const;

 private:
  std::optional<absl::string_view> UserOf(
      absl::Span<const Entry> entries) const;
  class User;
  const CompiledRule* RuleOf(
      const absl::flat_hash_map<std::string, size_t>& assignments,
      absl::string_view user) const;
  bool IsExempt(const User* user, const Entry* address) const;
  void FindUser(const User& user, const Entry* address, Match& match) const;
  void FindAnonymous(const Entry* address, Match& match) const;

  std::vector<IdentityKey> identity_;
  const ShownUsers shown_users_;
  std::vector<const CompiledRule*> tiers_;
  absl::flat_hash_map<std::string, size_t> assignments_;  // user -> tiers_[i]
  absl::flat_hash_map<absl::string_view, const CompiledRule*> rule_of_tier_;
  absl::flat_hash_map<std::string, size_t> hashed_assignments_;
  const CompiledRule* default_rule_ = nullptr;
  std::optional<AnonymousSpec> anonymous_;
  const CompiledRule* anonymous_rule_ = nullptr;  // null: the default rule
  std::optional<ExemptSpec> exempt_;
  const CompiledRule* exempt_rule_ = nullptr;
  bool looks_up_unlisted_ = false;
  bool looks_up_listed_ = false;
};

}  // namespace rls

#endif  // RLS_RULES_TIERS_H_
