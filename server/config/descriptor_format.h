#ifndef RLS_CONFIG_DESCRIPTOR_FORMAT_H_
#define RLS_CONFIG_DESCRIPTOR_FORMAT_H_

#include <string>

#include "config/load.h"
#include "config/yaml_reader.h"
#include "rules/domain_spec.h"

namespace rls {

// Reads format 1: envoyproxy/ratelimit's YAML with our extensions.
void ReadDescriptorFormat(YamlReader& reader, const YamlNode& root,
                          LoadedFile& file);

// The value of a node as errors, metrics and pages show it: the value of a
// secret is hidden.
std::string ShownValue(const RuleNode& node);

}  // namespace rls

#endif  // RLS_CONFIG_DESCRIPTOR_FORMAT_H_
