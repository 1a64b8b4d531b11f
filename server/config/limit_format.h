#ifndef RLS_CONFIG_LIMIT_FORMAT_H_
#define RLS_CONFIG_LIMIT_FORMAT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "config/yaml_map.h"
#include "limit/charge.h"
#include "rules/domain_spec.h"

namespace rls {

// The keys of a limit that both formats share.

// Returns the keys that ReadLimitKeys() reads.
const std::vector<absl::string_view>& LimitKeys();

// Returns `keys` and LimitKeys().
std::vector<absl::string_view> WithLimitKeys(
    std::vector<absl::string_view> keys);

// A unit of time, as both formats name it.
struct WindowUnit {
  absl::string_view word;
  absl::Duration length;                // month: 30 days; year: 365 days
  Calendar calendar = Calendar::kNone;  // kNone for second and minute
};

// All units, from the shortest to the longest.
absl::Span<const WindowUnit> WindowUnits();

// The words of all units, for error messages.
const std::vector<absl::string_view>& UnitWords();

// The unit with this word in lower case; null if there is no such unit.
const WindowUnit* FindUnit(absl::string_view word);

// Parses the value of `window:`, such as 90s: whole seconds in the syntax of
// absl::ParseDuration(), or days, which that function does not support: 2d.
// Returns nullopt for any other text.
std::optional<absl::Duration> ParseWindow(absl::string_view text);
inline constexpr char kWindowText[] =
    "whole seconds from 1s to 366d, such as 30s, 5m or 1h30m";

// Reads the keys that affect answers: on_backend_error, refundable, message.
void ReadAnswerKeys(const YamlMap& map, Rule& rule);

// Reads LimitKeys() into `rule`. An invalid combination of keys is an error.
// `window_key` is the key that states the window's length, or "". A calendar
// window must not have such a key.
void ReadLimitKeys(const YamlMap& map, absl::string_view window_key,
                   Rule& rule);

// Reads a limit of format 2: `rps` requests in `window_seconds` (default: 60),
// and LimitKeys().
void ReadRps(const YamlMap& map, Rule& rule);
std::vector<absl::string_view> WithRpsKeys(std::vector<absl::string_view> keys);

// The largest value of `rps`.
inline constexpr int64_t kMaxRps = UINT32_MAX;

// Reads `accounting:` of a domain.
void ReadAccounting(const YamlMap& map, Accounting& accounting);

// Reads `on_backend_error:` of a limit, or of a domain as the default of its
// limits.
void ReadOnBackendError(const YamlMap& map, OnBackendError& policy);

// Reads `secret: true` and `public: true` of a descriptor key. Returns nullopt
// without them.
std::optional<bool> ReadSecret(const YamlMap& map);

// Reads `ipv4_prefix:` and `ipv6_prefix:` of the map. Returns whether it has
// one of them.
bool ReadPrefixes(const YamlMap& map, NetworkPrefixes& prefixes);

// Reads `queue:` of the map: {max_wait, max_queued, max_queued_per_user}.
void ReadQueue(const YamlMap& map, QueueRule& queue);

// Makes the limit that `map` describes queue. A calendar window does not queue:
// it refuses, because no client waits for another day. A sliding window cannot
// queue, so it is an error.
void MakeQueue(const YamlMap& map, const QueueRule& queue, Rule& rule);

}  // namespace rls

#endif  // RLS_CONFIG_LIMIT_FORMAT_H_
