#ifndef RLS_APP_DECISION_SETTINGS_H_
#define RLS_APP_DECISION_SETTINGS_H_

#include "limiter/modes.h"

namespace rls {

class EnvironmentReader;

// Reads SHADOW_MODE, QUOTA_MODE, RATELIMIT_ACCOUNTING and
// STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT. The reader keeps the first error.
DecisionModes ReadDecisionModes(EnvironmentReader& reader);

}  // namespace rls

#endif  // RLS_APP_DECISION_SETTINGS_H_
