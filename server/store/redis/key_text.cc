#include "store/redis/key_text.h"

#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"

namespace rls {
namespace {

constexpr size_t kDigestBytes = 16;

// The bytes that are not escaped: printable ASCII without the special bytes.
constexpr std::array<bool, 256> MakeUnescaped() {
  std::array<bool, 256> unescaped = {};
  for (size_t byte = '!'; byte <= '~'; ++byte) unescaped[byte] = true;
  for (const unsigned char byte : {'|', '{', '}', '%', '#', '"', '\\'}) {
    unescaped[byte] = false;
  }
  return unescaped;
}

constexpr std::array<bool, 256> kUnescaped = MakeUnescaped();

void AppendEscaped(absl::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kUnescaped[byte]) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
}

}  // namespace

KeyText::KeyText(std::string prefix, std::string hash_secret)
    : prefix_(std::move(prefix)), hash_secret_(std::move(hash_secret)) {}

std::string KeyText::Write(const CounterKey& key) const {
  std::string text = prefix_;
  size_t bytes = text.size() + key.scope.size() + 2;
  for (const absl::string_view part : key.parts) bytes += part.size() + 1;
  text.reserve(bytes);
  AppendEscaped(key.scope, text);
  for (size_t i = 0; i < key.parts.size(); ++i) {
    const absl::string_view part = key.parts[i];
    const bool is_value = i % 2 == 1;
    const bool is_tag = i == key.tag_part;
    text.append(is_tag ? "|{" : "|");
    if (part.size() > kMaxPartBytes || (key.secret && is_value)) {
      const std::string digest = HmacSha256(hash_secret_, part);
      absl::StrAppend(&text, "#",
                      absl::BytesToHexString(
                          absl::string_view(digest).substr(0, kDigestBytes)));
    } else {
      AppendEscaped(part, text);
    }
    if (is_tag) text.push_back('}');
  }
  return text;
}

}  // namespace rls
