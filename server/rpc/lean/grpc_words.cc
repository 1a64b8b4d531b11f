#include "rpc/lean/grpc_words.h"

#include <cstdint>

#include "absl/strings/strip.h"

namespace rls {
namespace {

constexpr size_t kMaxTimeoutDigits = 8;

absl::Duration UnitOf(char unit) {
  switch (unit) {
    case 'H':
      return absl::Hours(1);
    case 'M':
      return absl::Minutes(1);
    case 'S':
      return absl::Seconds(1);
    case 'm':
      return absl::Milliseconds(1);
    case 'u':
      return absl::Microseconds(1);
    case 'n':
      return absl::Nanoseconds(1);
    default:
      return absl::ZeroDuration();
  }
}

}  // namespace

std::optional<absl::Duration> ParseGrpcTimeout(absl::string_view text) {
  if (text.size() < 2 || text.size() > kMaxTimeoutDigits + 1) {
    return std::nullopt;
  }
  const absl::Duration unit = UnitOf(text.back());
  if (unit == absl::ZeroDuration()) return std::nullopt;
  int64_t amount = 0;
  for (const char digit : text.substr(0, text.size() - 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    amount = amount * 10 + (digit - '0');
  }
  return amount * unit;
}

std::string EncodeGrpcMessage(absl::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

bool IsGrpcContentType(absl::string_view text) {
  return absl::ConsumePrefix(&text, "application/grpc") &&
         (text.empty() || text[0] == '+' || text[0] == ';');
}

}  // namespace rls
