#ifndef RLS_BASE_TEXT_H_
#define RLS_BASE_TEXT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace rls {

bool IsUtf8(absl::string_view text);

// `text` with every control character and every byte that is not part of valid
// UTF-8 written as \xNN, and nothing else changed.
std::string EscapeControls(absl::string_view text);

// `text` in double quotes for an error message: escaped as above and cut to a
// readable length, so that a 60 KiB value cannot flood a log.
std::string Quoted(absl::string_view text);

// The candidate nearest to `word` by edit distance, or "" when none is near
// enough to be a plausible typo.
absl::string_view NearestWord(absl::string_view word,
                              const std::vector<absl::string_view>& candidates);

// "; did you mean "x"?" for the nearest candidate, to end an error with; ""
// when there is none.
std::string DidYouMean(absl::string_view word,
                       const std::vector<absl::string_view>& candidates);

// Whether there is an ASCII control character in it: unfit for a log line or a
// header.
bool HasControls(absl::string_view text);

// Whether it can be the name of a header: a token of RFC 9110, section 5.6.2.
bool IsHeaderName(absl::string_view name);

}  // namespace rls

#endif  // RLS_BASE_TEXT_H_
