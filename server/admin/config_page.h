#ifndef RLS_ADMIN_CONFIG_PAGE_H_
#define RLS_ADMIN_CONFIG_PAGE_H_

#include <string>

#include "rules/rule_book.h"

namespace rls {

// GET /config of the debug port: the rules in force and where they come from,
// in JSON. Shows only the configuration, never a user.
//
//   source, places, version, hash, loaded   as in RuleOrigin. `version` exists
//       only with xDS. `loaded` is null before the first configuration.
//   domains   sorted: {domain, from: [{place, hash, state}], rules: [the lines
//       of /rlconfig]}
std::string ConfigPage(const RuleBook& book);

}  // namespace rls

#endif  // RLS_ADMIN_CONFIG_PAGE_H_
