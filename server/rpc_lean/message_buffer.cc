#include "rpc_lean/message_buffer.h"

#include <cstdint>

namespace rls {
namespace {

size_t LengthAt(const char* prefix) {
  size_t length = 0;
  for (int i = 0; i < 4; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

}  // namespace

void MessageBuffer::Append(absl::string_view bytes) {
  if (empty()) {
    Clear();
  } else if (taken_ > bytes_.size() / 2) {
    // A stream whose messages never end where a frame does.
    bytes_.erase(0, taken_);
    taken_ = 0;
  }
  bytes_.append(bytes.data(), bytes.size());
}

MessageBuffer::Found MessageBuffer::Take(size_t max_bytes,
                                         absl::string_view& message) {
  const absl::string_view rest = absl::string_view(bytes_).substr(taken_);
  if (rest.size() < kMessagePrefixBytes) return Found::kNothing;
  if (rest[0] != 0) return Found::kCompressed;
  const size_t length = LengthAt(rest.data() + 1);
  if (length > max_bytes) return Found::kTooLarge;
  if (rest.size() - kMessagePrefixBytes < length) return Found::kNothing;
  message = rest.substr(kMessagePrefixBytes, length);
  taken_ += kMessagePrefixBytes + length;
  return Found::kMessage;
}

void MessageBuffer::Clear() {
  // What one large message needed is not kept for the small ones.
  constexpr size_t kKeptBytes = 4 << 10;
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytes) bytes_.shrink_to_fit();
  taken_ = 0;
}

void AppendMessage(absl::string_view message, Unsent& to) {
  const auto length = static_cast<uint32_t>(message.size());
  const char prefix[kMessagePrefixBytes] = {
      0, static_cast<char>(length >> 24), static_cast<char>(length >> 16),
      static_cast<char>(length >> 8), static_cast<char>(length)};
  to.Append({prefix, sizeof(prefix)});
  to.Append(message);
}

}  // namespace rls
