#ifndef RLS_RULES_SECRET_KEYS_H_
#define RLS_RULES_SECRET_KEYS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace rls {

// True if values under this key of a descriptor may be secrets, which must
// never be shown. The key is split into words at each byte that is not a letter
// or a digit, and at each capital letter behind a small one. It holds secrets
// if one of its words, or two neighbours written as one word, is in
// SecretWords(): `X-Auth-Token`, `session_id` and `apiKey` do, `tokens` and
// `author` do not. Allocates no memory.
bool HoldsSecrets(absl::string_view key);

// A secret value as people may see it: the beginning of its hash. "" stays "".
std::string ShownSecret(absl::string_view value);

// The words, in lower case, in alphabetical order.
absl::Span<const absl::string_view> SecretWords();

}  // namespace rls

#endif  // RLS_RULES_SECRET_KEYS_H_
