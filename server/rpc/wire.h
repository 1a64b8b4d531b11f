#ifndef RLS_RPC_WIRE_H_
#define RLS_RPC_WIRE_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// Readers and writers of protobuf's wire format, for the messages of every
// call: they are faster than the generated classes.
//
// Source: https://protobuf.dev/programming-guides/encoding/

// Walks the fields of one serialized message without copying. Most fields have
// a tag of one byte and a length of one byte; this class reads those itself.
// Protobuf's reader reads longer tags and lengths.
//
//   WireReader reader(bytes);
//   while (reader.Next()) {
//     switch (reader.field()) {
//       case 1: reader.ReadBytes(name); break;
//       default: reader.Skip();
//     }
//   }
//   if (!reader.ok()) return malformed;
class WireReader {
 public:
  explicit WireReader(absl::string_view bytes) : rest_(bytes) {}

  // Moves to the next field. Returns false at the end and after malformed
  // bytes.
  bool Next() {
    if (!ok_ || rest_.empty()) return false;
    if (!TakeByte(tag_)) {
      ReadOn([this](Input& input) {
        tag_ = input.ReadTagNoLastTag();
        return true;
      });
    }
    ok_ = Lite::GetTagFieldNumber(tag_) > 0;
    return ok_;
  }

  int field() const { return Lite::GetTagFieldNumber(tag_); }
  bool ok() const { return ok_; }

  // Both read the current field and return true on success. If the field has
  // another wire type, they skip it, as the generated classes do.
  bool ReadBytes(absl::string_view& into) {
    if (!IsType(Lite::WIRETYPE_LENGTH_DELIMITED)) return false;
    uint32_t length = 0;
    if (!TakeByte(length)) {
      ReadOn([&](Input& input) { return input.ReadVarint32(&length); });
    }
    if (ok_) ok_ = length <= rest_.size();
    if (!ok_) return false;
    into = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return true;
  }

  bool ReadVarint(uint64_t& into) {
    if (!IsType(Lite::WIRETYPE_VARINT)) return false;
    uint64_t value = 0;
    if (!TakeByte(value)) {
      ReadOn([&](Input& input) { return input.ReadVarint64(&value); });
    }
    if (ok_) into = value;
    return ok_;
  }

  void Skip() {
    ReadOn([this](Input& input) { return Lite::SkipField(&input, tag_); });
  }

 private:
  using Input = google::protobuf::io::CodedInputStream;
  using Lite = google::protobuf::internal::WireFormatLite;

  // Reads a varint of one byte; false if the next varint is longer.
  template <typename Number>
  bool TakeByte(Number& into) {
    if (rest_.empty() || (rest_[0] & 0x80) != 0) return false;
    into = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return true;
  }

  // Continues with protobuf's reader. `read` returns true on success.
  template <typename Read>
  void ReadOn(const Read& read) {
    Input input(reinterpret_cast<const uint8_t*>(rest_.data()),
                static_cast<int>(rest_.size()));
    ok_ = read(input);
    rest_.remove_prefix(static_cast<size_t>(input.CurrentPosition()));
  }

  bool IsType(Lite::WireType type) {
    if (Lite::GetTagWireType(tag_) == type) return true;
    Skip();
    return false;
  }

  absl::string_view rest_;
  uint32_t tag_ = 0;
  bool ok_ = true;
};

// Writes fields of one message to memory that is large enough for them.
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

  // Begins a nested message of `size` bytes. The next fields belong to it.
  void Open(int field, size_t size) {
    end_ = Lite::WriteTagToArray(field, Lite::WIRETYPE_LENGTH_DELIMITED, end_);
    end_ = Stream::WriteVarint64ToArray(size, end_);
  }

  // The end of the written bytes.
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

#endif  // RLS_RPC_WIRE_H_
