#ifndef RLS_CONFIG_LOAD_H_
#define RLS_CONFIG_LOAD_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads configuration text of both formats into plain data. LoadConfig() is
// pure: it uses no file, no clock and no log. The top-level key determines the
// format: `domain:` means format 1, envoyproxy/ratelimit's; `rate_limit:` means
// format 2, per-user tiers (docs/TIERS.md).

// One error, with the information that a user needs to correct it:
//   rules.yaml:7: unknown key "requests_per_unti"; did you mean
//   "requests_per_unit"?
struct ConfigError {
  std::string origin;  // the path of the file, as the user wrote it
  int line = 0;        // from 1; 0 if the error has no single line
  std::string text;    // the value found and the value expected

  std::string ToString() const;  // "origin:line: text"
};

// The data that `validate-config` prints of a file of format 2.
struct TierSummary {
  std::vector<std::string> tiers;  // in file order
  size_t assigned = 0;             // users
  // The first users, one more than kShown, and their tiers.
  static constexpr size_t kShown = 10;
  std::vector<std::pair<std::string, std::string>> assignments;
  // Tier and text, for tiers with `limits`.
  std::vector<std::pair<std::string, std::string>> limits;
};

// A top-level `redis:`, in both formats: the Redis that stores the counters.
struct RedisPlace {
  std::string url;     // "" if no file has `redis:`
  std::string origin;  // file:line
};

// Merges `redis:` of one file into `redis:` of the files before it. Two
// different URLs are an error.
void MergeRedis(const RedisPlace& file, RedisPlace& all,
                std::vector<ConfigError>& errors);

struct LoadedFile {
  std::optional<DomainSpec> domain;  // nullopt: disabled, or there are errors
  // The domain's name, if it could be read. It is set even if there are errors,
  // so that a reload can keep the last good rules of this domain.
  std::string domain_name;
  int domain_line = 0;          // the line of `domain_name`
  std::vector<int> node_lines;  // of the top-level nodes of `domain`
  std::optional<TierSummary> tiers;
  RedisPlace redis;
  std::vector<ConfigError> errors;  // all errors of the file, in line order
  // The parts of the file that are ignored, in line order.
  std::vector<ConfigError> warnings;
};

// Returns the value of an environment variable; nullopt if it is not set.
using Environment =
    std::function<std::optional<std::string>(const std::string& name)>;

// The Environment of this process.
std::optional<std::string> ProcessEnvironment(const std::string& name);

// If `stop` becomes true, reading ends with an error.
LoadedFile LoadConfig(absl::string_view yaml, absl::string_view origin,
                      const Environment& environment,
                      const std::atomic<bool>* stop = nullptr);

// The error of the file at `place` if the file `other` already contains its
// domain.
ConfigError DomainTwice(absl::string_view domain, ConfigError place,
                        absl::string_view other);

// A file that exceeds one of these limits is refused.
inline constexpr size_t kMaxConfigBytes = size_t{64} << 20;
inline constexpr size_t kMaxAllConfigBytes = size_t{256} << 20;  // all files
inline constexpr int kMaxConfigDepth = 64;  // nesting of YAML
// The nodes of YAML. A node counts once for each alias that refers to it.
inline constexpr size_t kMaxConfigNodes = 2'500'000;
inline constexpr size_t kMaxScalarBytes = size_t{64} << 10;  // one text
// The bytes in which the parser must find the end of a text, list or map; the
// last two only if they are in brackets.
inline constexpr size_t kMaxPendingBytes = size_t{512} << 10;
inline constexpr int kMaxRuleDepth = 24;      // descriptors
inline constexpr size_t kMaxRules = 400'000;  // descriptors of a domain
// The look-up or the reading of these goes through all of them.
inline constexpr size_t kMaxTiers = 1000;  // per domain
inline constexpr size_t kMaxLimitsOfTier = 100;
inline constexpr size_t kMaxModels = 1000;
inline constexpr size_t kMaxIdentityKeys = 16;
inline constexpr size_t kMaxExemptNetworks = 1000;
// The errors, and the warnings, that are reported of one file.
inline constexpr size_t kMaxConfigErrors = 100;

}  // namespace rls

#endif  // RLS_CONFIG_LOAD_H_
