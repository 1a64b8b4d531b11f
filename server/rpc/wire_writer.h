#ifndef RLS_RPC_WIRE_WRITER_H_
#define RLS_RPC_WIRE_WRITER_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// Writes fields of one message into place, where there is room for them.
class WirePlace {
 public:
  explicit WirePlace(uint8_t* place) : end_(place) {}

  void Number(int field, uint64_t value) {
    end_ = Lite::WriteTagToArray(field, Lite::WIRETYPE_VARINT, end_);
    end_ = Stream::WriteVarint64ToArray(value, end_);
  }

  void Bytes(int field, absl::string_view value) {
    Open(field, value.size());
    end_ = std::copy(value.begin(), value.end(), end_);
  }

  // A nested message of so many bytes: the fields that follow are its own.
  void Open(int field, size_t size) {
    end_ = Lite::WriteTagToArray(field, Lite::WIRETYPE_LENGTH_DELIMITED, end_);
    end_ = Stream::WriteVarint64ToArray(size, end_);
  }

  // Of what was written.
  uint8_t* end() const { return end_; }

 private:
  using Lite = google::protobuf::internal::WireFormatLite;
  using Stream = google::protobuf::io::CodedOutputStream;

  uint8_t* end_;
};

// Appends fields of one message to `out`.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void Number(int field, uint64_t value) {
    uint8_t bytes[kMaxTagBytes + kMaxVarintBytes];
    WirePlace place(bytes);
    place.Number(field, value);
    Append(bytes, place.end());
  }

  void Bytes(int field, absl::string_view value) {
    uint8_t bytes[kMaxTagBytes + kMaxVarintBytes];
    WirePlace place(bytes);
    place.Open(field, value.size());
    Append(bytes, place.end());
    out_.append(value.data(), value.size());
  }

 private:
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
