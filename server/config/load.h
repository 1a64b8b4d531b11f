#ifndef RLS_CONFIG_LOAD_H_
#define RLS_CONFIG_LOAD_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads configuration text of either format into plain data. Pure: no file, no
// clock, no log. The format is told by the content: a top-level `domain:` is
// format 1 (envoyproxy/ratelimit's), a top-level `rate_limit:` format 2 (the
// recipe's).

// One mistake, told so that a person can mend it:
// "rules.yaml:7: unknown key "requests_per_unti"; did you mean
// "requests_per_unit"?"
struct ConfigError {
  std::string origin;  // the file, as the user named it
  int line = 0;        // from 1; 0 when the mistake is in no one line
  std::string text;    // what was found and what was expected

  std::string ToString() const;  // "origin:line: text"
};

// What format 2 says beside its domain, for `validate-config`'s summary.
struct TierSummary {
  std::vector<std::string> tiers;  // in file order
  std::vector<std::pair<std::string, std::string>> assignments;  // user, tier
  // Tier and text, of those that say `limits`.
  std::vector<std::pair<std::string, std::string>> limits;
};

// A top-level `redis:`, in either format: where the counters are kept.
struct RedisPlace {
  std::string url;     // "" when no file says so
  std::string origin;  // file:line
};

// Adds what one file says to what others said; another place is a mistake.
void MergeRedis(const RedisPlace& said, RedisPlace& all,
                std::vector<ConfigError>& errors);

struct LoadedFile {
  std::optional<DomainSpec> domain;  // none: disabled, or errors say why not
  // The domain's name as far as it could be read, even when there are errors,
  // so that a reload can keep the last good rules of just this domain.
  std::string domain_name;
  int domain_line = 0;  // where it says so
  std::optional<TierSummary> tiers;
  RedisPlace redis;
  std::vector<ConfigError> errors;  // all of the file, in line order
};

// Gives the value of `${NAME}`; none when there is no such variable.
using Environment =
    std::function<std::optional<std::string>(const std::string& name)>;

LoadedFile LoadConfig(absl::string_view yaml, absl::string_view origin,
                      const Environment& environment);

// The mistake of a file whose domain is in the file `other` already.
ConfigError DomainTwice(const LoadedFile& file, absl::string_view origin,
                        absl::string_view other);

// Limits (DESIGN section 9): past one of them the file is refused.
inline constexpr size_t kMaxConfigBytes = size_t{64} << 20;
inline constexpr int kMaxConfigDepth = 64;      // of YAML nesting
inline constexpr int kMaxRuleDepth = 16;        // of nested descriptors
inline constexpr size_t kMaxRules = 1'000'000;  // per domain

}  // namespace rls

#endif  // RLS_CONFIG_LOAD_H_
