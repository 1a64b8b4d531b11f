#ifndef RLS_CONFIG_METADATA_FORMAT_H_
#define RLS_CONFIG_METADATA_FORMAT_H_

#include <memory>

#include "config/yaml_reader.h"
#include "rules/metadata.h"

namespace rls {

// Reads `metadata:` of a descriptor: a map with any content. Texts without
// quotes have the types of YAML 1.1, as in envoyproxy/ratelimit: `yes` is true.
// Keys are texts as they are written. If a key occurs twice, the last one
// counts. Null if the map is empty.
std::shared_ptr<const Metadata> ReadMetadata(YamlReader& reader,
                                             const YamlNode& node);

}  // namespace rls

#endif  // RLS_CONFIG_METADATA_FORMAT_H_
