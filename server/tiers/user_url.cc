#include "tiers/user_url.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/text.h"

namespace rls {
namespace {

bool IsUnreserved(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) ||
         absl::string_view("-._~").find(byte) != absl::string_view::npos;
}

bool MaySend(absl::string_view user) {
  if (user.empty() || user.size() > kMaxUserBytes) return false;
  if (HasControls(user)) return false;
  for (const absl::string_view part :
       absl::StrSplit(user, absl::ByAnyChar("/\\"))) {
    if (part == "." || part == "..") return false;
  }
  return true;
}

std::string PercentEncoded(absl::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char byte : text) {
    if (IsUnreserved(byte)) {
      encoded += byte;
      continue;
    }
    const auto value = static_cast<unsigned char>(byte);
    encoded += {'%', kDigits[value >> 4], kDigits[value & 15]};
  }
  return encoded;
}

}  // namespace

std::optional<std::string> UserUrl(absl::string_view pattern,
                                   absl::string_view user) {
  if (!MaySend(user)) return std::nullopt;
  return absl::StrReplaceAll(pattern, {{"{user_id}", PercentEncoded(user)}});
}

}  // namespace rls
