#ifndef RLS_CONFIG_TIER_FORMAT_H_
#define RLS_CONFIG_TIER_FORMAT_H_

#include "config/load.h"
#include "config/yaml_reader.h"

namespace rls {

// Reads format 2: a `rate_limit:` file with per-user tiers (docs/TIERS.md).
void ReadTierFormat(YamlReader& reader, const YamlNode& root, LoadedFile& file);

}  // namespace rls

#endif  // RLS_CONFIG_TIER_FORMAT_H_
