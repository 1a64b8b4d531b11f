#include "tiers/header_line.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/text.h"

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
  if (value.empty() || HasControls(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.header_file, ": not the value of a header"));
  }
  return absl::StrCat(spec.header_name, ": ", value);
}

}  // namespace rls
