#ifndef RLS_CONFIG_LIMIT_FORMAT_H_
#define RLS_CONFIG_LIMIT_FORMAT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config/yaml_map.h"
#include "limit/charge.h"
#include "rules/rule.h"

namespace rls {

// What both formats can say of a limit beside its numbers.

// The keys that ReadLimitKeys() reads.
const std::vector<absl::string_view>& LimitKeys();

// `keys` and the ones above.
std::vector<absl::string_view> WithLimitKeys(
    std::vector<absl::string_view> keys);

// `window: 90s`: whole seconds as absl::ParseDuration() has them, and days,
// which that does not know: 2d. None for anything else.
std::optional<absl::Duration> ParseWindow(absl::string_view text);
inline constexpr char kWindowText[] =
    "whole seconds from 1s to 366d, such as 30s, 5m or 1h30m";

// What they say of answers: on_backend_error, refundable, message.
void ReadAnswerKeys(const YamlMap& map, Rule& rule);

// Reads them into `rule`; a combination that makes no sense is a mistake.
// `window_key` is the key that gave the window's length, "" for none: a
// calendar window has no length of its own.
void ReadLimitKeys(const YamlMap& map, absl::string_view window_key,
                   Rule& rule);

// A limit as format 2 has it: so many requests, `rps`, in `window_seconds` (60
// unless given), and the keys above.
void ReadRps(const YamlMap& map, Rule& rule);
std::vector<absl::string_view> WithRpsKeys(std::vector<absl::string_view> keys);

// The largest `rps` there can be.
inline constexpr int64_t kMaxRps = UINT32_MAX;

// `accounting:` of a domain.
void ReadAccounting(const YamlMap& map, Accounting& accounting);

// `on_backend_error:` of a limit, or of a domain for those of its limits that
// say nothing.
void ReadOnBackendError(const YamlMap& map, OnBackendError& policy);

}  // namespace rls

#endif  // RLS_CONFIG_LIMIT_FORMAT_H_
