#ifndef RLS_CONFIG_USAGE_FORMAT_H_
#define RLS_CONFIG_USAGE_FORMAT_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "config/yaml_map.h"
#include "rules/domain_spec.h"

namespace rls {

// Limits of requests and of tokens side by side, and how requests tell of
// tokens.

// `keys` and all that ReadLimits() reads: those of one limit, `rps` and so on,
// or `limits` and `reserve`.
std::vector<absl::string_view> WithLimitsKeys(
    std::vector<absl::string_view> keys);

// Reads what is limited: one limit into `rule`, whose path is set, or several,
// the others into `rule.more`. `subject` is whose limits they are, in messages.
// `finish` hears each limit and the map that has described it.
void ReadLimits(const YamlMap& map, const std::string& subject, Rule& rule,
                absl::FunctionRef<void(const YamlMap&, Rule&)> finish);

// Reads `usage:` of the map: {report_key, tokens_key, request_id_key,
// reserve_ttl}.
void ReadUsage(const YamlMap& map, UsageSpec& usage);

// "50 requests/1m, 100000 tokens/day@UTC", of limits that ReadLimits() has read
// from `limits`.
std::string LimitsText(const Rule& rule);

}  // namespace rls

#endif  // RLS_CONFIG_USAGE_FORMAT_H_
