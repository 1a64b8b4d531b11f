#ifndef RLS_BASE_TEXT_H_
#define RLS_BASE_TEXT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace rls {

bool IsUtf8(absl::string_view text);

// `text` with \xNN in place of every control character and of every byte that
// is not part of valid UTF-8.
std::string EscapeControls(absl::string_view text);

// `text` as a JSON string, with its quotes. Each byte that is not part of valid
// UTF-8 becomes U+FFFD.
std::string JsonText(absl::string_view text);

// `text` in double quotes, for an error message: escaped by EscapeControls()
// and cut to a readable length, so that a value of 60 KiB cannot flood a log.
std::string Quoted(absl::string_view text);

// The candidate nearest to `word` by edit distance, or "" if the distance of
// every candidate is too large for a typo.
absl::string_view NearestWord(absl::string_view word,
                              const std::vector<absl::string_view>& candidates);

// `; did you mean "x"?` with the result of NearestWord(), for the end of an
// error message; "" without such a candidate.
std::string DidYouMean(absl::string_view word,
                       const std::vector<absl::string_view>& candidates);

// Whether `text` has an ASCII control character, which neither a log line nor a
// header may contain.
bool HasControls(absl::string_view text);

// Whether `name` is a valid name of an HTTP header: a token.
// Source: RFC 9110, section 5.6.2.
bool IsHeaderName(absl::string_view name);

}  // namespace rls

#endif  // RLS_BASE_TEXT_H_
