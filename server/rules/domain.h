#ifndef RLS_RULES_DOMAIN_H_
#define RLS_RULES_DOMAIN_H_

#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "metrics/metrics.h"
#include "rules/domain_spec.h"
#include "rules/tier_source.h"

namespace rls {

// One (key, value) pair of a descriptor. May contain any bytes. Both views
// refer to the request.
struct Entry {
  absl::string_view key;
  absl::string_view value;
};

// The metrics of one rule. CompileDomain() creates them.
struct RuleCounters {
  Counter* ok = nullptr;          // allowed hits
  Counter* over_limit = nullptr;  // refused hits
  Counter* shadowed = nullptr;    // hits over the limit, allowed by shadow mode
  Counter* degraded = nullptr;    // hits over the limit, sent to another model
};

// The statistics of one rule.
struct RuleStatistics {
  // The name of one level of the rule's path.
  struct Level {
    std::string name;      // that of the configuration
    bool is_sent = false;  // the entry of the request is the name instead
    bool secret = false;   // its value is hashed
  };

  // The hits of the path of the rule.
  std::shared_ptr<HitStatistics> hits;
  // By entry of the descriptor. Empty if no level has the name that is sent.
  std::vector<Level> levels;
};

struct CompiledRule : Rule {
  // CounterKey::scope: the escaped domain and the shape of the policy
  // (algorithm, window or calendar). It does not contain the policy's numbers.
  // So a changed limit keeps its counter, and a changed window starts a new
  // one.
  std::string scope;
  std::string degrade_scope;  // the scope of `degrade->limit`
  RuleCounters counters;
  std::unique_ptr<RuleStatistics> statistics;  // null: they are off
  const CompiledRule* next = nullptr;          // the next limit of `more`
};

struct CompiledUsage : UsageSpec {
  Policy reservation;             // ReservationPolicy()
  std::string reservation_scope;  // CounterKey::scope
};

struct Match {
  const CompiledRule* rule = nullptr;  // null: no limit applies
  // CounterKey::parts. Views of the request's entries and of the domain.
  absl::InlinedVector<absl::string_view, 8> parts;
  size_t tag_part = 1;
  bool secret = false;
  // True: look up the user, parts[1], in the domain's tier source. `rule`
  // applies if the tier source does not know the user.
  bool needs_lookup = false;
  // Own the texts of parts that are not in the request.
  std::forward_list<std::string> texts;
};

// The compiled rules of one domain.
//
// Matching follows envoyproxy/ratelimit. It goes through the entries in order.
// At each level it prefers the node with exactly this key and value, then the
// wildcards in file order, then the node with the key alone. It does not
// backtrack. Only a rule at the level of the last entry applies. The cost does
// not grow with the number of siblings.
//
// Threads: immutable, so all threads share it.
class Domain {
 public:
  virtual ~Domain() = default;

  virtual const std::string& name() const = 0;
  // Nullopt: the configuration does not state it.
  virtual std::optional<Accounting> accounting() const = 0;

  // Overwrites `match`, so that the memory of `match` can be reused.
  virtual void Find(absl::Span<const Entry> entries, Match& match) const = 0;

  // True if a descriptor of the configuration marks this key as secret.
  virtual bool MarksSecret(absl::string_view key) const = 0;

  // The source of the tiers of users that the configuration does not list; null
  // if there is no such source.
  // Lifetime: as long as the domain.
  virtual TierSource* tier_source() const = 0;

  // The rule of a tier that the tier source has returned. Null if there is no
  // such tier; a metric counts this case.
  virtual const CompiledRule* RuleOfTier(absl::string_view tier) const = 0;

  // The descriptor keys by which requests state tokens. Null if the domain has
  // no tiers.
  virtual const CompiledUsage* usage() const = 0;

  // Runs `visit` for each rule, in file order. After the tiers follow the
  // default rule, the rule of anonymous requests, and the rule of exempt
  // requests.
  virtual void ForEachRule(
      absl::FunctionRef<void(const CompiledRule&)> visit) const = 0;
};

// Null `sources`: the domain has no tier source, even if `spec` describes one.
//
// Failure: INVALID_ARGUMENT, naming the node, if two nodes of one level have
// the same key and value.
// Lifetime: `metrics` must outlive the domain; `sources` must outlive all of
// the domain's lookups.
absl::StatusOr<std::shared_ptr<const Domain>> CompileDomain(
    DomainSpec spec, Metrics& metrics, TierSources* sources = nullptr);

// CounterKey::scope for a policy without a rule, such as a limit override.
std::string CounterScope(absl::string_view domain, const Policy& policy);

}  // namespace rls

#endif  // RLS_RULES_DOMAIN_H_
