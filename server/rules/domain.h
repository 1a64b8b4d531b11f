#ifndef RLS_RULES_DOMAIN_H_
#define RLS_RULES_DOMAIN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "metrics/metrics.h"
#include "rules/domain_spec.h"
#include "rules/rule.h"
#include "rules/tier_source.h"

namespace rls {

// One (key, value) of a descriptor. Any bytes; views of the request.
struct Entry {
  absl::string_view key;
  absl::string_view value;
};

// What is counted for one rule, as handles made once at compile time.
struct RuleCounters {
  Counter* ok = nullptr;          // hits allowed
  Counter* over_limit = nullptr;  // hits refused
  Counter* shadowed = nullptr;    // hits over the limit that shadow mode let by
  Counter* degraded = nullptr;    // hits over it that a cheaper model takes
};

struct CompiledRule : Rule {
  // CounterKey::scope: the domain, escaped, and the shape of the policy
  // (algorithm, window or calendar), but not its numbers, so that a changed
  // limit keeps its counter and a changed window starts a new one.
  std::string scope;
  std::string degrade_scope;  // of `degrade->limit`
  RuleCounters counters;
  const CompiledRule* next = nullptr;  // of `more`
};

struct CompiledUsage : UsageSpec {
  Policy reservation;             // ReservationPolicy()
  std::string reservation_scope;  // CounterKey::scope
};

struct Match {
  const CompiledRule* rule = nullptr;  // null: no limit applies
  // Of the CounterKey. Views of the request's entries and of the domain.
  absl::InlinedVector<absl::string_view, 8> parts;
  size_t tag_part = 1;
  bool secret = false;
  // The domain's tier source is to be asked for the user, parts[1]; `rule` is
  // for want of its answer.
  bool asks_source = false;
  std::string text;  // what a part views that the request does not hold
};

// Whether what comes under this key of a descriptor may be a secret that must
// not be shown: authorization, api_key, cookie and the like, in any letter
// case.
bool HoldsSecrets(absl::string_view key);

// The compiled rules of one domain: immutable, shared by all threads.
//
// Matching follows envoyproxy/ratelimit (REFERENCE section 1): entry by entry;
// at each level the exact (key, value) first, then the wildcards in file order,
// then the key alone; no backtracking; only a rule at the level of the last
// entry counts. Its cost does not grow with the number of siblings.
class Domain {
 public:
  virtual ~Domain() = default;

  virtual const std::string& name() const = 0;
  virtual Accounting accounting() const = 0;

  // Overwrites `match`, so that a caller can reuse its memory.
  virtual void Find(absl::Span<const Entry> entries, Match& match) const = 0;

  // Who tells the tiers of users that the configuration does not list; null
  // when nobody does. Good as long as the domain.
  virtual TierSource* tier_source() const = 0;

  // The rule of a tier that the source has named. Null, and counted, when there
  // is no such tier.
  virtual const CompiledRule* RuleOfTier(absl::string_view tier) const = 0;

  // How requests tell of tokens. Null when nobody is to be asked: the domain
  // has no tiers.
  virtual const CompiledUsage* usage() const = 0;

  // Calls `visit` for each rule, in file order; after the tiers their default
  // rule, that of anonymous requests, and that of exempt ones.
  virtual void ForEachRule(
      absl::FunctionRef<void(const CompiledRule&)> visit) const = 0;
};

// Failure: INVALID_ARGUMENT, naming the node, for two nodes of one level with
// the same key and value.
// Lifetime: `metrics` must outlive the domain, and `sources` what asks it; with
// null a source that the spec describes is not there.
absl::StatusOr<std::shared_ptr<const Domain>> CompileDomain(
    DomainSpec spec, Metrics& metrics, TierSources* sources = nullptr);

// CounterKey::scope for a policy that is in no rule (a request's own limit).
std::string CounterScope(absl::string_view domain, const Policy& policy);

}  // namespace rls

#endif  // RLS_RULES_DOMAIN_H_
