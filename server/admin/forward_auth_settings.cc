#include "admin/forward_auth_settings.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/text.h"

namespace rls {
namespace {

absl::StatusOr<HeaderEntry> ParseEntry(absl::string_view text) {
  const size_t equals = std::min(text.find('='), text.size());
  HeaderEntry entry{
      .key = std::string(absl::StripAsciiWhitespace(text.substr(0, equals)))};
  bool is_good = !entry.key.empty() && equals < text.size();
  for (absl::string_view name :
       absl::StrSplit(absl::ClippedSubstr(text, equals + 1), '|')) {
    name = absl::StripAsciiWhitespace(name);
    is_good &= IsHeaderName(name);
    entry.headers.emplace_back(name);
  }
  if (is_good) return entry;
  return absl::InvalidArgumentError(
      absl::StrCat("found ", Quoted(text), ", expected key=Header"));
}

}  // namespace

absl::StatusOr<std::vector<std::vector<HeaderEntry>>> ParseHeaderDescriptors(
    absl::string_view text) {
  std::vector<std::vector<HeaderEntry>> descriptors;
  for (absl::string_view descriptor : absl::StrSplit(text, ';')) {
    descriptors.emplace_back();
    for (absl::string_view part : absl::StrSplit(descriptor, ',')) {
      absl::StatusOr<HeaderEntry> entry = ParseEntry(part);
      if (!entry.ok()) return entry.status();
      descriptors.back().push_back(*std::move(entry));
    }
  }
  return descriptors;
}

}  // namespace rls
