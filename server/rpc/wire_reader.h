#ifndef RLS_RPC_WIRE_READER_H_
#define RLS_RPC_WIRE_READER_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>

#include "absl/strings/string_view.h"

namespace rls {

// Walks the fields of one serialized message without copying. What most fields
// are, a tag of one byte and a length of one, is read here; the rest by
// protobuf's reader.
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

  // To the next field; false at the end and after malformed bytes.
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

  // Each of these reads the current field and says whether it did. A field of
  // another wire type than asked is skipped, as the generated classes do.
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

  // A number of one byte, if that is what comes next.
  template <typename Number>
  bool TakeByte(Number& into) {
    if (rest_.empty() || (rest_[0] & 0x80) != 0) return false;
    into = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return true;
  }

  // Reads from here with protobuf's reader; `read` says whether it could.
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

}  // namespace rls

#endif  // RLS_RPC_WIRE_READER_H_
