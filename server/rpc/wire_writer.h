#ifndef RLS_RPC_WIRE_WRITER_H_
#define RLS_RPC_WIRE_WRITER_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// Appends fields of one message to `out`. A nested message is written into a
// string of its own first, and then by Bytes().
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
    uint8_t bytes[kMaxTagBytes + kMaxVarintBytes];
    uint8_t* end =
        Lite::WriteTagToArray(field, Lite::WIRETYPE_LENGTH_DELIMITED, bytes);
    end = Stream::WriteVarint64ToArray(value.size(), end);
    Append(bytes, end);
    out_.append(value.data(), value.size());
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
