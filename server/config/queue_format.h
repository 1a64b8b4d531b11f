#ifndef RLS_CONFIG_QUEUE_FORMAT_H_
#define RLS_CONFIG_QUEUE_FORMAT_H_

#include "config/yaml_map.h"
#include "rules/rule.h"

namespace rls {

// Reads `queue:` of the map: {max_wait, max_queued, max_queued_per_user}.
void ReadQueue(const YamlMap& map, QueueRule& queue);

// Makes the limit that `map` has described queue. A calendar window does not:
// it refuses, as nobody waits for another day. A sliding window cannot, which
// is a mistake.
void MakeQueue(const YamlMap& map, const QueueRule& queue, Rule& rule);

}  // namespace rls

#endif  // RLS_CONFIG_QUEUE_FORMAT_H_
