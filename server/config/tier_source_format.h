#ifndef RLS_CONFIG_TIER_SOURCE_FORMAT_H_
#define RLS_CONFIG_TIER_SOURCE_FORMAT_H_

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/yaml_map.h"
#include "rules/tier_source.h"

namespace rls {

// `user_tier_source`, a URL or a map, and the keys that go with it. They stand
// at the top of the file or under `rate_limit`.

// `keys` and those that ReadTierSource() reads.
std::vector<absl::string_view> WithTierSourceKeys(
    std::vector<absl::string_view> keys);

// Reads them from wherever they stand; in both places is a mistake.
void ReadTierSource(const YamlMap& file, const YamlMap& rate_limit,
                    std::optional<TierSourceSpec>& into);

}  // namespace rls

#endif  // RLS_CONFIG_TIER_SOURCE_FORMAT_H_
