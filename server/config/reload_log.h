#ifndef RLS_CONFIG_RELOAD_LOG_H_
#define RLS_CONFIG_RELOAD_LOG_H_

#include "rules/rule_book.h"

namespace rls {

// Logs which domains a load has added, reloaded and removed.
void LogChanges(const RuleBook& before, const RuleBook& after);

}  // namespace rls

#endif  // RLS_CONFIG_RELOAD_LOG_H_
