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

}  // namespace rls

#endif  // RLS_BASE_TEXT_H_
