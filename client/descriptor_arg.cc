#include "descriptor_arg.h"

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace rls {
namespace {

// Splits at commas that do not follow a backslash.
std::vector<std::string> SplitEntries(absl::string_view argument) {
  std::vector<std::string> entries(1);
  for (size_t i = 0; i < argument.size(); ++i) {
    const bool escapes = argument[i] == '\\' && i + 1 < argument.size() &&
                         (argument[i + 1] == ',' || argument[i + 1] == '\\');
    if (escapes) {
      entries.back().push_back(argument[++i]);
    } else if (argument[i] == ',') {
      entries.emplace_back();
    } else {
      entries.back().push_back(argument[i]);
    }
  }
  return entries;
}

}  // namespace

absl::StatusOr<KeyValues> ParseDescriptor(absl::string_view argument) {
  KeyValues entries;
  for (const std::string& entry : SplitEntries(argument)) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--descriptor: found ", Quoted(entry), ", expected key=value"));
    }
    entries.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return entries;
}

}  // namespace rls
