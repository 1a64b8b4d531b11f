#include "tiers/header_line.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"

namespace rls {
namespace {

constexpr size_t kMaxValueBytes = size_t{16} << 10;

}  // namespace

absl::StatusOr<std::string> HeaderLine(const TierSourceSpec& spec) {
  if (spec.header_name.empty()) return "";
  if (spec.header_file.empty()) {
    return absl::StrCat(spec.header_name, ": ", spec.header_value);
  }
  const absl::StatusOr<std::string> text =
      ReadFile(spec.header_file, kMaxValueBytes);
  if (!text.ok()) return text.status();
  const absl::string_view value = absl::StripAsciiWhitespace(*text);
  const bool has_controls =
      std::any_of(value.begin(), value.end(), [](char byte) {
        return absl::ascii_iscntrl(static_cast<unsigned char>(byte));
      });
  if (value.empty() || has_controls) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.header_file, ": not the value of a header"));
  }
  return absl::StrCat(spec.header_name, ": ", value);
}

}  // namespace rls
