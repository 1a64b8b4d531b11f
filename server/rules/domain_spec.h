#ifndef RLS_RULES_DOMAIN_SPEC_H_
#define RLS_RULES_DOMAIN_SPEC_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "limit/charge.h"
#include "rules/network.h"
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

// One limit for all requests that no listed user makes.
struct AnonymousSpec {
  Rule rule;
  bool by_address = true;  // a counter for each network; else one for all
  int ipv4_prefix = 32;    // bits of an address that name its network
  int ipv6_prefix = 64;
  // Also for users that are not listed, who could call themselves anything;
  // unless a source is asked for them.
  bool unknown_users = true;
};

// Who passes without counting.
struct ExemptSpec {
  absl::flat_hash_set<std::string> users;
  absl::flat_hash_set<std::string> hashed_users;  // as hashed_assignments
  std::vector<Network> networks;                  // of remote_address
};

// By which entries a descriptor tells of tokens. They do not tell users apart.
struct UsageSpec {
  // With the value `report` it tells of usage, after the response, and charges
  // no limit of requests.
  std::string report_key = "usage";
  // What a request costs in tokens, as far as that is known beforehand.
  std::string tokens_key = "tokens";
  // Joins a report to its request, when limits reserve.
  std::string request_id_key = "request_id";
  // A reservation is forgotten after this time, and its estimate stays.
  absl::Duration reserve_ttl = absl::Minutes(10);
};

// Per-user tiers (recipe.txt). A user is looked up in `assignments`; users that
// are not listed get the tier that `source` tells, or `default_rule`, each;
// requests without any identity get it per `remote_address`, or else all
// together.
struct TierSpec {
  std::vector<IdentityKey> identity;  // the first one present counts
  std::vector<Rule> tiers;
  absl::flat_hash_map<std::string, size_t> assignments;  // user -> tiers[i]
  // The same by Sha256Hex() of the user, so that a file need not hold keys.
  absl::flat_hash_map<std::string, size_t> hashed_assignments;
  std::optional<AnonymousSpec> anonymous;  // none: default_rule
  std::optional<ExemptSpec> exempt;
  Rule default_rule;
  std::optional<TierSourceSpec> source;
  UsageSpec usage;
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
