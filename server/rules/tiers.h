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

// Finds the user of a descriptor and the rule of the user's tier.
class Tiers {
 public:
  // Rules are appended to `rules`, in the order of Domain::ForEachRule(); the
  // tiers point into it.
  Tiers(TierSpec spec, std::deque<CompiledRule>& rules);

  // As Domain::Find(). The counter key holds the user, not the tier, so that
  // what was used stays counted when the user's tier changes.
  void Find(absl::Span<const Entry> entries, Match& match) const;

  // Null when there is no such tier.
  const CompiledRule* RuleOfTier(absl::string_view tier) const;

 private:
  std::optional<absl::string_view> UserOf(
      absl::Span<const Entry> entries) const;
  class User;
  bool IsExempt(const User* user, const Entry* address) const;
  void FindUser(const User& user, const Entry* address, Match& match) const;
  void FindAnonymous(const Entry* address, Match& match) const;

  std::vector<IdentityKey> identity_;
  absl::flat_hash_map<std::string, const CompiledRule*> rule_of_user_;
  absl::flat_hash_map<absl::string_view, const CompiledRule*> rule_of_tier_;
  absl::flat_hash_map<std::string, const CompiledRule*> rule_of_hash_;
  const CompiledRule* default_rule_ = nullptr;
  std::optional<AnonymousSpec> anonymous_;
  const CompiledRule* anonymous_rule_ = nullptr;  // null: the default rule
  std::optional<ExemptSpec> exempt_;
  const CompiledRule* exempt_rule_ = nullptr;
  bool ask_unassigned_ = false;
  bool ask_assigned_ = false;
};

}  // namespace rls

#endif  // RLS_RULES_TIERS_H_
