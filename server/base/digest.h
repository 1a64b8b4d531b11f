#ifndef RLS_BASE_DIGEST_H_
#define RLS_BASE_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// HMAC-SHA-256 of `text`, 32 bytes. It reveals nothing about the text without
// the key, and two different texts practically never have the same HMAC.
//
// Source: FIPS 198-1 (HMAC) and FIPS 180-4 (SHA-256), as OpenSSL implements
// them.
std::string HmacSha256(absl::string_view key, absl::string_view text);

// SHA-256 of `text` (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view text);

}  // namespace rls

#endif  // RLS_BASE_DIGEST_H_
