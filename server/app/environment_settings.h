#ifndef RLS_APP_ENVIRONMENT_SETTINGS_H_
#define RLS_APP_ENVIRONMENT_SETTINGS_H_

#include "absl/status/status.h"
#include "app/settings.h"

namespace rls {

// Changes `settings` as the environment says, under the names that
// envoyproxy/ratelimit gives its variables where it has them. An empty variable
// counts as none.
//
// Failure: INVALID_ARGUMENT that names the first bad variable.
absl::Status ApplyEnvironment(const Environment& environment,
                              Settings& settings);

}  // namespace rls

#endif  // RLS_APP_ENVIRONMENT_SETTINGS_H_
