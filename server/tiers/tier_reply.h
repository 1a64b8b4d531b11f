#ifndef RLS_TIERS_TIER_REPLY_H_
#define RLS_TIERS_TIER_REPLY_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

inline constexpr size_t kMaxTierNameBytes = 1024;

// The tier that the body of a 200 names: {"tier": "pro"}, whatever else is in
// the object, "pro" as a JSON text, or pro as plain text with any white space
// around it. "" for {"tier": null}: the user has none.
//
// Failure: INVALID_ARGUMENT for all else; a name is at most kMaxTierNameBytes
// of UTF-8 without control characters.
absl::StatusOr<std::string> ReadTierReply(absl::string_view body);

}  // namespace rls

#endif  // RLS_TIERS_TIER_REPLY_H_
