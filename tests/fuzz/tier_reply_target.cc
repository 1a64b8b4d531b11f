// The body of a tier source's response, and the URL of its request.

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "tiers/http_words.h"

namespace rls {
namespace {

void CheckBody(absl::string_view body) {
  const absl::StatusOr<std::string> tier = ReadTierBody(body);
  if (!tier.ok()) {
    Require(absl::IsInvalidArgument(tier.status()),
            "a body that names no tier is an invalid argument");
    return;
  }
  Require(tier->size() <= kMaxTierNameBytes, "the name of a tier is bounded");
  Require(!HasControls(*tier) && IsUtf8(*tier), "the name of a tier is text");
}

// The URL must contain the user in one segment, whatever the user is.
void CheckUrl(absl::string_view user) {
  const auto url = UserUrl("http://h/tier/{user_id}?x", user);
  if (!url.has_value()) return;
  absl::string_view encoded = *url;
  Require(absl::ConsumePrefix(&encoded, "http://h/tier/") &&
              absl::ConsumeSuffix(&encoded, "?x"),
          "the URL keeps the text around the user");
  std::string decoded;
  for (size_t i = 0; i < encoded.size(); ++i) {
    const auto byte = static_cast<unsigned char>(encoded[i]);
    if (byte == '%') {
      decoded += static_cast<char>(
          std::stoi(std::string(encoded.substr(i + 1, 2)), nullptr, 16));
      i += 2;
      continue;
    }
    Require(absl::ascii_isalnum(byte) ||
                absl::string_view("-._~").find(encoded[i]) != user.npos,
            "the user has only unreserved characters in the URL");
    decoded += encoded[i];
  }
  Require(decoded == user, "the URL contains the user");
}

}  // namespace

void FuzzTierReply(const uint8_t* bytes, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  CheckBody(text);
  CheckUrl(text);
}

}  // namespace rls
