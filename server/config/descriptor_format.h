#ifndef RLS_CONFIG_DESCRIPTOR_FORMAT_H_
#define RLS_CONFIG_DESCRIPTOR_FORMAT_H_

#include "config/load.h"
#include "config/yaml_reader.h"

namespace rls {

// Format 1: envoyproxy/ratelimit's YAML and our extensions of it.
void ReadDescriptorFormat(YamlReader& reader, const YAML::Node& root,
                          LoadedFile& file);

}  // namespace rls

#endif  // RLS_CONFIG_DESCRIPTOR_FORMAT_H_
