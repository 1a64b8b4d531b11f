#include "tiers/http_words.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
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
  for (const absl::string_view segment :
       absl::StrSplit(user, absl::ByAnyChar("/\\"))) {
    if (segment == "." || segment == "..") return false;
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

constexpr size_t kMaxHeaderBytes = size_t{16} << 10;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

absl::StatusOr<std::string> CheckedName(absl::string_view name) {
  if (name.empty()) return Malformed("an empty tier name");
  if (name.size() > kMaxTierNameBytes)
    return Malformed("the tier name is too long");
  if (HasControls(name)) return Malformed("a control character in the tier");
  if (!IsUtf8(name)) return Malformed("the tier name is not UTF-8");
  return std::string(name);
}

absl::StatusOr<std::string> ReadJson(absl::string_view text) {
  const nlohmann::json json =
      nlohmann::json::parse(text.begin(), text.end(), /*cb=*/nullptr,
                            /*allow_exceptions=*/false);
  if (json.is_discarded()) return Malformed("the body is not valid JSON");
  if (const auto* name = json.get_ptr<const std::string*>()) {
    return CheckedName(*name);
  }
  const auto tier = json.find("tier");  // end() also if it is no object
  if (tier == json.end()) return Malformed("no member \"tier\" in the JSON");
  if (tier->is_null()) return "";
  if (const auto* name = tier->get_ptr<const std::string*>()) {
    return CheckedName(*name);
  }
  return Malformed("the tier is not a string");
}

}  // namespace

std::optional<std::string> UserUrl(absl::string_view pattern,
                                   absl::string_view user) {
  if (!MaySend(user)) return std::nullopt;
  return absl::StrReplaceAll(pattern, {{"{user_id}", PercentEncoded(user)}});
}

absl::StatusOr<std::string> HeaderLine(const TierSourceSpec& spec) {
  if (spec.header_name.empty()) return "";
  if (spec.header_file.empty()) {
    return absl::StrCat(spec.header_name, ": ", spec.header_value);
  }
  const absl::StatusOr<std::string> text =
      ReadFile(spec.header_file, kMaxHeaderBytes);
  if (!text.ok()) return text.status();
  const absl::string_view value = absl::StripAsciiWhitespace(*text);
  if (value.empty() || HasControls(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.header_file, ": not a valid value of a header"));
  }
  return absl::StrCat(spec.header_name, ": ", value);
}

absl::StatusOr<std::string> ReadTierBody(absl::string_view body) {
  const absl::string_view text = absl::StripAsciiWhitespace(body);
  const bool is_json = !text.empty() && (text[0] == '{' || text[0] == '"');
  return is_json ? ReadJson(text) : CheckedName(text);
}

}  // namespace rls
