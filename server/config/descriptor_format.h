#ifndef RLS_CONFIG_DESCRIPTOR_FORMAT_H_
#define RLS_CONFIG_DESCRIPTOR_FORMAT_H_

#include "config/load.h"
#include "config/yaml_reader.h"

namespace rls {

// Reads format 1: envoyproxy/ratelimit's YAML with our extensions.
void ReadDescriptorFormat(YamlReader& reader, const YamlNode& root,
                          LoadedFile& file);

}  // namespace rls

#endif  // RLS_CONFIG_DESCRIPTOR_FORMAT_H_
