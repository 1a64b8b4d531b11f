// grpc-timeout, grpc-message and content-type.

#include <charconv>
#include <string>

#include "absl/strings/numbers.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "rpc/lean/grpc_words.h"

namespace rls {
namespace {

std::string Decoded(absl::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    Require(text[0] >= 0x20 && text[0] <= 0x7e, "a message is printable");
    if (text[0] != '%') {
      decoded += text[0];
      text.remove_prefix(1);
      continue;
    }
    Require(text.size() >= 3, "two digits follow a percent sign");
    uint8_t byte = 0;
    const auto read =
        std::from_chars(text.data() + 1, text.data() + 3, byte, 16);
    Require(read.ptr == text.data() + 3, "two digits follow a percent sign");
    decoded += static_cast<char>(byte);
    text.remove_prefix(3);
  }
  return decoded;
}

void CheckTimeout(absl::string_view text) {
  const auto timeout = ParseGrpcTimeout(text);
  const bool has_digits =
      text.size() >= 2 && text.size() <= 9 &&
      text.substr(0, text.size() - 1).find_first_not_of("0123456789") ==
          text.npos;
  const bool is_valid =
      has_digits && absl::string_view("HMSmun").find(text.back()) != text.npos;
  Require(timeout.has_value() == is_valid,
          "one to eight digits and a unit are a timeout");
  if (!timeout.has_value()) return;
  Require(
      *timeout >= absl::ZeroDuration() && *timeout <= absl::Hours(99'999'999),
      "a timeout is within its bounds");
}

}  // namespace

void FuzzGrpcWords(const uint8_t* bytes, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  CheckTimeout(text);
  Require(Decoded(EncodeGrpcMessage(text)) == text,
          "a message is the same after encoding and decoding");
  IsGrpcContentType(text);
}

}  // namespace rls
