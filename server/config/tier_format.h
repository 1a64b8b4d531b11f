#ifndef RLS_CONFIG_TIER_FORMAT_H_
#define RLS_CONFIG_TIER_FORMAT_H_

#include "config/load.h"
#include "config/yaml_reader.h"

namespace rls {

// Format 2: the recipe's `rate_limit:` file with per-user tiers.
void ReadTierFormat(YamlReader& reader, const YAML::Node& root,
                    LoadedFile& file);

}  // namespace rls

#endif  // RLS_CONFIG_TIER_FORMAT_H_
