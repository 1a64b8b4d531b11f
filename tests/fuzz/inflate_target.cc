// Compressed messages, in each encoding.

#include <string>

#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "rpc/lean/inflate.h"

namespace rls {

void FuzzInflate(const uint8_t* bytes, size_t size) {
  constexpr size_t kMaxBytes = 100'000;
  const absl::string_view compressed(reinterpret_cast<const char*>(bytes),
                                     size);
  int succeeded = 0;
  for (const Encoding encoding : {Encoding::kGzip, Encoding::kDeflate,
                                  Encoding::kIdentity, Encoding::kUnknown}) {
    std::string message;
    const absl::Status status =
        Inflate(encoding, compressed, kMaxBytes, message);
    Require(message.size() <= kMaxBytes + 1, "a message is within its bound");
    if (!status.ok()) continue;
    ++succeeded;
    std::string again;
    Require(Inflate(encoding, compressed, message.size(), again).ok() &&
                again == message,
            "the size of a message is within its bound");
    Require(message.empty() ||
                absl::IsResourceExhausted(
                    Inflate(encoding, compressed, message.size() - 1, again)),
            "a message of one byte more than the bound is refused");
  }
  Require(succeeded <= 1, "a message has one encoding");
}

}  // namespace rls
