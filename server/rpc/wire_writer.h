#ifndef RLS_RPC_WIRE_WRITER_H_
#define RLS_RPC_WIRE_WRITER_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// Appends fields of one message to `out`.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void Number(int field, uint64_t value) {
    uint8_t bytes[kMaxTagBytes + kMaxVarintBytes];
    uint8_t* end = Lite::WriteTagToArray(field, Lite::WIRETYPE_VARINT, bytes);
    end = Stream::WriteVarint64ToArray(value, end);
    Append(bytes, end);
  }

  void Bytes(int field, absl::string_view value) {
    Open(field, value.size());
    out_.append(value.data(), value.size());
  }

  // A nested message of so many bytes: the fields that follow are its own.
  void Open(int field, size_t size) {
    uint8_t bytes[kMaxTagBytes + kMaxVarintBytes];
    uint8_t* end =
        Lite::WriteTagToArray(field, Lite::WIRETYPE_LENGTH_DELIMITED, bytes);
    end = Stream::WriteVarint64ToArray(size, end);
    Append(bytes, end);
  }

 private:
  using Lite = google::protobuf::internal::WireFormatLite;
  using Stream = google::protobuf::io::CodedOutputStream;
  static constexpr size_t kMaxTagBytes = 5;
  static constexpr size_t kMaxVarintBytes = 10;

  void Append(const uint8_t* begin, const uint8_t* end) {
    out_.append(reinterpret_cast<const char*>(begin),
                static_cast<size_t>(end - begin));
  }

  std::string& out_;
};

}  // namespace rls

#endif  // RLS_RPC_WIRE_WRITER_H_
