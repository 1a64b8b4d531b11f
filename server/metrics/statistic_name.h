#ifndef RLS_METRICS_STATISTIC_NAME_H_
#define RLS_METRICS_STATISTIC_NAME_H_

#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// A domain or the name of a level as part of the name of a statistic. As
// envoyproxy/ratelimit does: `:`, `|` and the dots of IPv4 addresses become
// `_`; other dots stay. Also: control characters and invalid UTF-8 are escaped.
std::string StatisticName(absl::string_view text);

}  // namespace rls

#endif  // RLS_METRICS_STATISTIC_NAME_H_
