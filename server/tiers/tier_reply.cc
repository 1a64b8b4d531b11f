#include "tiers/tier_reply.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "base/text.h"

namespace rls {
namespace {

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

absl::StatusOr<std::string> CheckedName(absl::string_view name) {
  if (name.empty()) return Malformed("an empty name");
  if (name.size() > kMaxTierNameBytes) return Malformed("a name too long");
  if (HasControls(name) || !IsUtf8(name))
    return Malformed("a name that is no text");
  return std::string(name);
}

absl::StatusOr<std::string> ReadJson(absl::string_view text) {
  const nlohmann::json json =
      nlohmann::json::parse(text.begin(), text.end(), /*cb=*/nullptr,
                            /*allow_exceptions=*/false);
  if (json.is_discarded()) return Malformed("no JSON");
  if (const auto* name = json.get_ptr<const std::string*>()) {
    return CheckedName(*name);
  }
  const auto tier = json.find("tier");  // end() of what is no object
  if (tier == json.end()) return Malformed("no tier in the JSON");
  if (tier->is_null()) return "";
  if (const auto* name = tier->get_ptr<const std::string*>()) {
    return CheckedName(*name);
  }
  return Malformed("a tier that is no text");
}

}  // namespace

absl::StatusOr<std::string> ReadTierReply(absl::string_view body) {
  const absl::string_view text = absl::StripAsciiWhitespace(body);
  const bool is_json = !text.empty() && (text[0] == '{' || text[0] == '"');
  return is_json ? ReadJson(text) : CheckedName(text);
}

}  // namespace rls
