#include "descriptor_arg.h"

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace rls {
namespace {

// Splits at commas that no backslash stands before.
std::vector<std::string> SplitParts(absl::string_view argument) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < argument.size(); ++i) {
    const bool escapes = argument[i] == '\\' && i + 1 < argument.size() &&
                         (argument[i + 1] == ',' || argument[i + 1] == '\\');
    if (escapes) {
      parts.back().push_back(argument[++i]);
    } else if (argument[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back().push_back(argument[i]);
    }
  }
  return parts;
}

}  // namespace

absl::StatusOr<KeyValues> ParseDescriptor(absl::string_view argument) {
  KeyValues entries;
  for (const std::string& part : SplitParts(argument)) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--descriptor: found ", Quoted(part), ", expected key=value"));
    }
    entries.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  return entries;
}

}  // namespace rls
