#ifndef RLS_TIERS_HTTP_WORDS_H_
#define RLS_TIERS_HTTP_WORDS_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rules/tier_source.h"

namespace rls {

// The texts of a tier source's HTTP exchange: the URL and the header of a
// request, and the tier in the body of a response.

inline constexpr size_t kMaxUserBytes = 1024;

// `pattern` with each {user_id} replaced by the user. Every byte of the user is
// percent-encoded, except unreserved characters (RFC 3986 section 2.3).
//
// Users come from clients, so a user is refused if another server could read
// its URL differently. nullopt: the user is empty, longer than kMaxUserBytes,
// has a control character, or has a segment "." or ".." between slashes or
// backslashes, which encoding does not protect.
std::optional<std::string> UserUrl(absl::string_view pattern,
                                   absl::string_view user);

// "Name: value" of the header that each request carries, "" for no header. The
// value is secret. A value in a file is read again each time, so that it can be
// changed; white space around it is removed.
//
// Failure: as ReadFile(), and INVALID_ARGUMENT for a file that is empty or has
// a control character inside. No message contains the value.
absl::StatusOr<std::string> HeaderLine(const TierSourceSpec& spec);

inline constexpr size_t kMaxTierNameBytes = 1024;

// The tier that the body of a 200 response names. Accepted bodies: a JSON
// object with a member "tier" ({"tier": "pro"}; other members are ignored), a
// JSON string ("pro"), and text that is not JSON (pro), with any white space
// around it. "" for {"tier": null}: the user has no tier.
//
// Failure: INVALID_ARGUMENT for any other body. A name is 1 to
// kMaxTierNameBytes bytes of UTF-8 without control characters.
absl::StatusOr<std::string> ReadTierBody(absl::string_view body);

}  // namespace rls

#endif  // RLS_TIERS_HTTP_WORDS_H_
