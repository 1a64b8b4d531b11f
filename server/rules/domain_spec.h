#ifndef RLS_RULES_DOMAIN_SPEC_H_
#define RLS_RULES_DOMAIN_SPEC_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limit/charge.h"
#include "limit/lease.h"
#include "limit/policy.h"
#include "rules/metadata.h"
#include "rules/network.h"
#include "rules/tier_source.h"

namespace rls {

// The configuration of one domain as plain data, independent of the format of
// the file. The configuration formats produce a DomainSpec, and CompileDomain()
// compiles it.

// The answer to a request when the store cannot decide.
enum class OnBackendError {
  kError,  // gRPC UNAVAILABLE: the gateway's failure mode decides
  kAllow,
  kDeny,
  kLocal,  // counts in this process's memory meanwhile
};

// The bounds of the queue of a queueing limit.
struct QueueRule {
  absl::Duration max_wait = absl::Seconds(30);
  int64_t max_queued = 10'000;        // requests, in this process
  int64_t max_queued_per_user = 100;  // units of one counter, in all processes

  friend bool operator==(const QueueRule&, const QueueRule&) = default;
};

// Lets a request over the limit pass with a cheaper model, which the answer
// names to the gateway.
struct DegradeRule {
  std::string model_key = "model";  // the descriptor key of the model
  std::map<std::string, std::string> cheaper;  // model -> cheaper model
  // Used if the request names no model, or a model that is not in `cheaper`. ""
  // if no model is cheaper than all others.
  std::string cheapest;
  std::string flag_header = "x-ratelimit-degraded";
  std::string model_header = "x-model";
  // The limit of one user's degraded traffic. Over it, a request is refused.
  std::optional<Policy> limit;

  // Returns the model to use instead of `model` ("" for a request without a
  // model). nullopt: there is no cheaper model, so degrading would save
  // nothing. "": the gateway chooses.
  std::optional<absl::string_view> ModelFor(absl::string_view model) const;
};

// The unit of a limit. A request costs one request unless the gateway states a
// cost. Gateways state tokens before or after the request (UsageSpec).
enum class Counted { kRequests, kTokens };

// The meaning of a cost that the gateway states on a descriptor.
enum class StatedHits {
  kCheck,   // the cost of the request: refused without a charge past the limit
  kCharge,  // units that are used already: charged even past the limit
};

// A limit, and how to answer a request that it applies to. A tier is a rule
// too.
struct Rule {
  // Shown to people in metrics, /rlconfig and dynamic metadata. It comes from
  // the configuration, never from traffic: "user_alice.path" or "tier free".
  std::string path;
  Policy policy;  // unused if `unlimited`
  Counted counted = Counted::kRequests;
  // For tokens: a request is charged an estimate, which its report corrects. A
  // request without a request id is not charged in advance.
  bool reserves = false;
  bool unlimited = false;  // allowed without counting
  bool shadow = false;     // charged and judged, but never denies
  bool quota = false;      // denies only if all quota rules of a request deny
  std::string name;        // current_limit.name, to which `replaces` refers
  std::vector<std::string> replaces;
  std::string tier;     // "" unless this rule is a tier
  std::string message;  // the body of a refusal; "" for no body
  OnBackendError on_backend_error = OnBackendError::kError;
  bool refundable = false;  // Charge::refundable
  StatedHits stated_hits = StatedHits::kCheck;
  std::optional<LeaseTerms> lease;  // for units of the shared store
  QueueRule queue;                  // used if `policy.queue`
  // Null: a request over the limit is refused or held.
  std::shared_ptr<const DegradeRule> degrade;
  // Null: none.
  std::shared_ptr<const Metadata> metadata;
  // Further limits of the same descriptors. Their own `more` is empty.
  std::vector<Rule> more;
};

// A rule or none. Unlike std::optional, it takes little memory without a rule.
class OptionalRule {
 public:
  OptionalRule() = default;
  // Implicit, as that of std::optional.
  // NOLINTNEXTLINE(google-explicit-constructor)
  OptionalRule(Rule rule) : rule_(std::make_unique<Rule>(std::move(rule))) {}
  OptionalRule(const OptionalRule& other)
      : rule_(other.has_value() ? std::make_unique<Rule>(*other) : nullptr) {}
  OptionalRule(OptionalRule&&) = default;
  OptionalRule& operator=(OptionalRule other) {
    rule_ = std::move(other.rule_);
    return *this;
  }

  bool has_value() const { return rule_ != nullptr; }
  Rule& emplace() { return *(rule_ = std::make_unique<Rule>()); }
  void reset() { rule_.reset(); }
  Rule& operator*() { return *rule_; }
  const Rule& operator*() const { return *rule_; }
  Rule* operator->() { return rule_.get(); }
  const Rule* operator->() const { return rule_.get(); }

 private:
  std::unique_ptr<Rule> rule_;
};

// A node of the tree of descriptors. If `value` is empty, the node matches its
// key with any value. Each `*` in `value` stands for zero or more bytes.
struct RuleNode {
  std::string key;
  std::string value;
  OptionalRule rule;  // none: the node only leads to its children
  // True: all values that match the wildcard of this node share one counter.
  bool share = false;
  // True: values under this key are hashed before a store keeps them. nullopt:
  // HoldsSecrets() of the key decides.
  std::optional<bool> secret;
  // A value: values of this key are addresses, and all addresses of one network
  // share one counter. Other values count as they are.
  std::optional<NetworkPrefixes> networks;
  // In the statistics (metrics/statistics.h), the name of this level has the
  // value of the request instead of the value of the node. True for the node of
  // the rule: the names of all levels do.
  bool detailed_metric = false;
  bool value_to_metric = false;    // the name of this level does
  std::vector<RuleNode> children;  // the order matters for wildcards
};

// The key of a descriptor entry that may contain the user.
struct IdentityKey {
  std::string key;
  std::string strip_prefix;  // removed from the value, in any letter case
};

// The users whose names may stand in a store unhashed. One setting for all
// identity keys, because a user has one counter under all of them.
enum class ShownUsers { kNone, kListed, kAll };

// One limit for all requests without a listed user.
struct AnonymousSpec {
  Rule rule;
  // True: one counter for each network. False: one counter for all.
  bool by_address = true;
  NetworkPrefixes networks;
  // True: also applies to users that are not listed, because clients choose
  // such names freely. If there is a tier source, it is looked up instead.
  bool unknown_users = true;
};

// Requests that pass without counting.
struct ExemptSpec {
  absl::flat_hash_set<std::string> users;
  absl::flat_hash_set<std::string> hashed_users;  // as in hashed_assignments
  std::vector<Network> networks;                  // of remote_address
};

// The descriptor keys by which gateways state tokens. These entries do not
// distinguish users.
struct UsageSpec {
  // With the value `report`, a descriptor reports usage after the response. It
  // does not charge limits of requests.
  std::string report_key = "usage";
  // The estimated tokens of a request, if they are known in advance.
  std::string tokens_key = "tokens";
  // Relates a report to its request if limits reserve.
  std::string request_id_key = "request_id";
  // After this time a reservation is forgotten, and its estimate stays charged.
  absl::Duration reserve_ttl = absl::Minutes(10);
};

// Per-user tiers.
//
// A listed user has the tier in `assignments`. Any other user has the tier that
// `source` returns, or else `default_rule`, with its own counter. Requests
// without an identity have `default_rule`, with one counter for each
// `remote_address`, or one counter for all requests without an address.
struct TierSpec {
  std::vector<IdentityKey> identity;  // the first key that is present counts
  ShownUsers shown_users = ShownUsers::kListed;
  std::vector<Rule> tiers;
  absl::flat_hash_map<std::string, size_t> assignments;  // user -> tiers[i]
  // The same by Sha256Hex() of the user, so that a file need not contain keys.
  absl::flat_hash_map<std::string, size_t> hashed_assignments;
  std::optional<AnonymousSpec> anonymous;  // nullopt: default_rule
  std::optional<ExemptSpec> exempt;
  Rule default_rule;
  std::optional<TierSourceSpec> source;
  UsageSpec usage;
};

// A domain has either a tree of nodes or tiers.
struct DomainSpec {
  std::string name;
  // Nullopt: DecisionModes::default_accounting.
  std::optional<Accounting> accounting;
  std::vector<RuleNode> nodes;
  std::optional<TierSpec> tiers;
};

}  // namespace rls

#endif  // RLS_RULES_DOMAIN_SPEC_H_
