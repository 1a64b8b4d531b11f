#include "rules/secret_keys.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"

namespace rls {
namespace {

// docs/SECURITY.md lists the same words.
constexpr absl::string_view kWords[] = {
    "accesskey",  "apikey",        "auth",       "authentication",
    "authkey",    "authorization", "authtoken",  "bearer",
    "cookie",     "cookies",       "credential", "credentials",
    "csrf",       "jwt",           "licensekey", "otp",
    "passcode",   "passphrase",    "passwd",     "password",
    "pat",        "pin",           "privatekey", "pwd",
    "secret",     "secretkey",     "secrets",    "sessid",
    "session",    "sessionid",     "sid",        "signature",
    "signingkey", "token",         "xsrf",
};

constexpr size_t kMaxWord = 16;  // longer than each of the words

// The last two words of a key, in lower case. Longer words are cut, so that
// they are equal to no word of the list.
class Words {
 public:
  void Add(char byte) {
    if (size_ < last_.size()) last_[size_++] = byte;
  }

  // Ends the last word. Returns true if it, or it and the word before, is in
  // the list.
  bool End() {
    if (size_ == 0) return false;
    const absl::string_view word(last_.data(), size_);
    std::array<char, 2 * kMaxWord> both;
    std::copy_n(before_.data(), before_size_, both.data());
    std::copy_n(last_.data(), size_, both.data() + before_size_);
    const bool found =
        IsListed(word) ||
        IsListed(absl::string_view(both.data(), before_size_ + size_));
    before_ = last_;
    before_size_ = size_;
    size_ = 0;
    return found;
  }

 private:
  static bool IsListed(absl::string_view word) {
    return std::binary_search(std::begin(kWords), std::end(kWords), word);
  }

  std::array<char, kMaxWord> before_ = {};
  std::array<char, kMaxWord> last_ = {};
  size_t before_size_ = 0;
  size_t size_ = 0;
};

}  // namespace

bool HoldsSecrets(absl::string_view key) {
  Words words;
  bool after_small = false;
  for (const char byte : key) {
    const auto letter = static_cast<unsigned char>(byte);
    if (!absl::ascii_isalnum(letter)) {
      if (words.End()) return true;
    } else {
      if (after_small && absl::ascii_isupper(letter) && words.End()) {
        return true;
      }
      words.Add(absl::ascii_tolower(letter));
    }
    after_small = absl::ascii_islower(letter);
  }
  return words.End();
}

absl::Span<const absl::string_view> SecretWords() { return kWords; }

std::string ShownSecret(absl::string_view value) {
  constexpr size_t kHexDigits = 12;
  if (value.empty()) return "";
  return absl::StrCat("sha256:", Sha256Hex(value).substr(0, kHexDigits));
}

}  // namespace rls
