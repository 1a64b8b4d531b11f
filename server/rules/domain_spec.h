#ifndef RLS_RULES_DOMAIN_SPEC_H_
#define RLS_RULES_DOMAIN_SPEC_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "limit/charge.h"
#include "rules/rule.h"
#include "rules/tier_source.h"

namespace rls {

// What a configuration says of one domain, as plain data: the input of
// CompileDomain(). Configuration formats end here.

// A node of the tree of descriptors. `value` empty: the node matches its key
// with any value. A `*` anywhere in `value` stands for zero or more bytes.
struct RuleNode {
  std::string key;
  std::string value;
  std::optional<Rule> rule;  // none: the node only leads to its children
  // All values that match this node through its wildcard share one counter.
  bool share = false;
  std::vector<RuleNode> children;  // order matters among wildcard siblings
};

// One place of a descriptor where the user may be found.
struct IdentityKey {
  std::string key;
  std::string strip_prefix;  // dropped from the value, in any letter case
};

// Per-user tiers (recipe.txt). A user is looked up in `assignments`; users that
// are not listed get the tier that `source` tells, or `default_rule`, each;
// requests without any identity get it per `remote_address`, or else all
// together.
struct TierSpec {
  std::vector<IdentityKey> identity;  // the first one present counts
  std::vector<Rule> tiers;
  absl::flat_hash_map<std::string, size_t> assignments;  // user -> tiers[i]
  Rule default_rule;
  std::optional<TierSourceSpec> source;
};

// A domain has a tree of nodes, or tiers.
struct DomainSpec {
  std::string name;
  Accounting accounting = Accounting::kAllOrNothing;
  std::vector<RuleNode> nodes;
  std::optional<TierSpec> tiers;
};

}  // namespace rls

#endif  // RLS_RULES_DOMAIN_SPEC_H_
