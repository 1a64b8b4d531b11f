#ifndef RLS_CONFIG_TIER_SOURCE_FORMAT_H_
#define RLS_CONFIG_TIER_SOURCE_FORMAT_H_

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/yaml_map.h"
#include "rules/tier_source.h"

namespace rls {

// `user_tier_source`, which is a URL or a map, and the related keys. They are
// either at the top level of the file or under `rate_limit`.

// Returns `keys` and the keys that ReadTierSource() reads.
std::vector<absl::string_view> WithTierSourceKeys(
    std::vector<absl::string_view> keys);

// Reads these keys from both places. It is an error if both have a source.
void ReadTierSource(const YamlMap& file, const YamlMap& rate_limit,
                    std::optional<TierSourceSpec>& into);

}  // namespace rls

#endif  // RLS_CONFIG_TIER_SOURCE_FORMAT_H_
