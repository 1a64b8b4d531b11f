#include "http/http_request.h"

#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rls {

std::string DecodePercent(absl::string_view text) {
  const auto is_digit = [&](size_t i) {
    return i < text.size() &&
           absl::ascii_isxdigit(static_cast<unsigned char>(text[i]));
  };
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && is_digit(i + 1) && is_digit(i + 2)) {
      const char* const digits = text.data() + i + 1;
      unsigned byte = 0;
      std::from_chars(digits, digits + 2, byte, 16);
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string QueryValue(absl::string_view query, absl::string_view name) {
  for (const absl::string_view part : absl::StrSplit(query, '&')) {
    const size_t equals = part.find('=');
    if (equals == part.npos || part.substr(0, equals) != name) continue;
    return DecodePercent(part.substr(equals + 1));
  }
  return "";
}

void AppendHttpHeader(absl::string_view name, absl::string_view value,
                      std::string& lines) {
  constexpr absl::string_view kForbidden("\r\n\0", 3);
  if (name.empty() || name.find_first_of(kForbidden) != name.npos ||
      value.find_first_of(kForbidden) != value.npos) {
    return;
  }
  absl::StrAppend(&lines, name, ": ", value, "\r\n");
}

}  // namespace rls
