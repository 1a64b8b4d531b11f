#ifndef RLS_CONFIG_USAGE_FORMAT_H_
#define RLS_CONFIG_USAGE_FORMAT_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "config/yaml_map.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads limits of requests and of tokens, and the descriptor keys by which
// gateways state tokens.

// Returns `keys` and all keys that ReadLimits() reads: the keys of a single
// limit, such as `rps`, and `limits` and `reserve`.
std::vector<absl::string_view> WithLimitsKeys(
    std::vector<absl::string_view> keys);

// Reads one limit or several. The first limit goes into `rule`, which already
// has its path. The others go into `rule.more`. `subject` names the tier in
// messages. Runs `finish` for each limit and the map that describes it.
void ReadLimits(const YamlMap& map, const std::string& subject, Rule& rule,
                absl::FunctionRef<void(const YamlMap&, Rule&)> finish);

// Reads `usage:` of the map: {report_key, tokens_key, request_id_key,
// reserve_ttl}.
void ReadUsage(const YamlMap& map, UsageSpec& usage);

// A summary of the limits that ReadLimits() has read from `limits`, such as
// "50 requests/1m, 100000 tokens/day@UTC".
std::string LimitsText(const Rule& rule);

// The default message to a refused user: "Rate limit exceeded. Free tier: 5
// req/min". `subject` names the tier and is not empty.
std::string TierMessage(std::string subject, const Rule& rule);

}  // namespace rls

#endif  // RLS_CONFIG_USAGE_FORMAT_H_
