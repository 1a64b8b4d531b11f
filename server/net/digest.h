#ifndef RLS_NET_DIGEST_H_
#define RLS_NET_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// 32 bytes that tell nothing of `text` to who does not know `key`, and never
// the same for two texts.
// Source: FIPS 198-1 (HMAC) with FIPS 180-4 (SHA-256); OpenSSL's.
std::string HmacSha256(absl::string_view key, absl::string_view text);

// The 64 lower-case hexadecimal digits of SHA-256 (FIPS 180-4).
std::string Sha256Hex(absl::string_view text);

}  // namespace rls

#endif  // RLS_NET_DIGEST_H_
