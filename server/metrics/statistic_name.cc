#include "metrics/statistic_name.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "base/text.h"

namespace rls {
namespace {

// The length of the IPv4 address at the start of `text`: four groups of one to
// three digits. 0: there is none.
size_t Ipv4Length(absl::string_view text) {
  constexpr int kGroups = 4;
  constexpr size_t kMaxDigits = 3;
  size_t at = 0;
  for (int group = 0; group < kGroups; ++group) {
    if (group > 0) {
      if (at >= text.size() || text[at] != '.') return 0;
      ++at;
    }
    const size_t start = at;
    while (at < text.size() && at - start < kMaxDigits &&
           absl::ascii_isdigit(static_cast<unsigned char>(text[at]))) {
      ++at;
    }
    if (at == start) return 0;
  }
  return at;
}

}  // namespace

std::string StatisticName(absl::string_view text) {
  std::string name = EscapeControls(text);
  for (char& byte : name) {
    if (byte == ':' || byte == '|') byte = '_';
  }
  for (size_t at = 0; at < name.size(); ++at) {
    const size_t length = Ipv4Length(absl::string_view(name).substr(at));
    if (length == 0) continue;
    std::replace(name.begin() + static_cast<std::ptrdiff_t>(at),
                 name.begin() + static_cast<std::ptrdiff_t>(at + length), '.',
                 '_');
    at += length - 1;
  }
  return name;
}

}  // namespace rls
