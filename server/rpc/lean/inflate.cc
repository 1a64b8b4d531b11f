#include "rpc/lean/inflate.h"

#include <zlib.h>

#include <algorithm>

namespace rls {
namespace {

// The size of most messages.
constexpr size_t kFirstBytes = 4 << 10;

// windowBits of inflateInit2(): the largest window, which every stream fits
// into. kGzipFormat added: only gzip; else only zlib.
constexpr int kLargestWindow = 15;
constexpr int kGzipFormat = 16;

absl::Status TooLarge() {
  return absl::ResourceExhaustedError("the message is too large");
}

// Grows `message` until the stream ends.
absl::Status InflateAll(z_stream& stream, size_t max_bytes,
                        std::string& message) {
  // One byte more than the bound shows that the message exceeds it.
  const size_t most = max_bytes + 1;
  size_t size = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    if (size == most) return TooLarge();
    message.resize(std::min(most, std::max(kFirstBytes, 2 * size)));
    stream.next_out = reinterpret_cast<Bytef*>(message.data() + size);
    stream.avail_out = static_cast<uInt>(message.size() - size);
    result = inflate(&stream, Z_NO_FLUSH);
    size = message.size() - stream.avail_out;
  }
  // The end of the input before the end of the stream is Z_BUF_ERROR.
  if (result != Z_STREAM_END || stream.avail_in > 0) {
    return absl::InternalError("the message is not validly compressed");
  }
  if (size > max_bytes) return TooLarge();
  message.erase(size);
  return absl::OkStatus();
}

}  // namespace

Encoding EncodingOf(absl::string_view name) {
  if (name == "identity") return Encoding::kIdentity;
  if (name == "gzip") return Encoding::kGzip;
  if (name == "deflate") return Encoding::kDeflate;
  return Encoding::kUnknown;
}

absl::Status Inflate(Encoding encoding, absl::string_view compressed,
                     size_t max_bytes, std::string& message) {
  message.clear();
  if (encoding == Encoding::kUnknown) {
    return absl::UnimplementedError("unknown grpc-encoding");
  }
  if (encoding == Encoding::kIdentity) {
    return absl::InternalError("compressed without an encoding");
  }
  z_stream stream = {};
  stream.next_in =
      reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  const int format = encoding == Encoding::kGzip ? kGzipFormat : 0;
  if (inflateInit2(&stream, kLargestWindow + format) != Z_OK) {
    return absl::ResourceExhaustedError("no memory to decompress a message");
  }
  absl::Status status = InflateAll(stream, max_bytes, message);
  inflateEnd(&stream);
  return status;
}

}  // namespace rls
