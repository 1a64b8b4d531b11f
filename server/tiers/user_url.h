#ifndef RLS_TIERS_USER_URL_H_
#define RLS_TIERS_USER_URL_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

inline constexpr size_t kMaxUserBytes = 1024;

// `pattern` with each {user_id} replaced by the user, every byte of it
// percent-encoded but for unreserved characters (RFC 3986 section 2.3).
//
// Users come from callers, so none is sent whose URL another server could read
// as something else: nullopt for a user that is empty, longer than
// kMaxUserBytes, has a control character, or has a part between slashes or
// backslashes that is "." or "..", which encoding does not protect.
std::optional<std::string> UserUrl(absl::string_view pattern,
                                   absl::string_view user);

}  // namespace rls

#endif  // RLS_TIERS_USER_URL_H_
