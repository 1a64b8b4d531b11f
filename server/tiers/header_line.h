#ifndef RLS_TIERS_HEADER_LINE_H_
#define RLS_TIERS_HEADER_LINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "rules/tier_source.h"

namespace rls {

// "Name: value" of the header that a call carries, "" for none. The value is
// secret; that of a file is read anew each time, so that it can be changed,
// and goes without the white space around it.
//
// Failure: as ReadFile(), and INVALID_ARGUMENT for a file that is empty or has
// a control character within; no message holds the value.
absl::StatusOr<std::string> HeaderLine(const TierSourceSpec& spec);

}  // namespace rls

#endif  // RLS_TIERS_HEADER_LINE_H_
