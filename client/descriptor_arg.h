#ifndef RLS_CLIENT_DESCRIPTOR_ARG_H_
#define RLS_CLIENT_DESCRIPTOR_ARG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

// Reads `key=value[,key=value]...`. A value ends at the next comma and may
// contain `=`. `\,` and `\\` stand for a comma and a backslash.
//
// Failure: INVALID_ARGUMENT with the text found and the text expected.
absl::StatusOr<KeyValues> ParseDescriptor(absl::string_view argument);

}  // namespace rls

#endif  // RLS_CLIENT_DESCRIPTOR_ARG_H_
