#ifndef RLS_RPC_WIRE_READER_H_
#define RLS_RPC_WIRE_READER_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>

#include "absl/strings/string_view.h"

namespace rls {

// Walks the fields of one serialized message without copying.
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
  explicit WireReader(absl::string_view bytes)
      : bytes_(bytes),
        input_(reinterpret_cast<const uint8_t*>(bytes.data()),
               static_cast<int>(bytes.size())) {}

  // To the next field; false at the end and after malformed bytes.
  bool Next() {
    if (!ok_ || input_.CurrentPosition() == static_cast<int>(bytes_.size())) {
      return false;
    }
    tag_ = input_.ReadTagNoLastTag();
    ok_ = Lite::GetTagFieldNumber(tag_) > 0;
    return ok_;
  }

  int field() const { return Lite::GetTagFieldNumber(tag_); }
  bool ok() const { return ok_; }

  // Each of these reads the current field and says whether it did. A field of
  // another wire type than asked is skipped, as the generated classes do.
  bool ReadBytes(absl::string_view& into) {
    uint32_t length = 0;
    if (!IsType(Lite::WIRETYPE_LENGTH_DELIMITED)) return false;
    const bool read = input_.ReadVarint32(&length);
    const int start = input_.CurrentPosition();
    // Skip() takes an int and refuses what is beyond the end.
    if (!read || length > bytes_.size() ||
        !input_.Skip(static_cast<int>(length))) {
      ok_ = false;
      return false;
    }
    into = bytes_.substr(static_cast<size_t>(start), length);
    return true;
  }

  bool ReadVarint(uint64_t& into) {
    if (!IsType(Lite::WIRETYPE_VARINT)) return false;
    uint64_t value = 0;
    ok_ = input_.ReadVarint64(&value);
    if (ok_) into = value;
    return ok_;
  }

  void Skip() { ok_ = Lite::SkipField(&input_, tag_); }

 private:
  using Lite = google::protobuf::internal::WireFormatLite;

  bool IsType(Lite::WireType type) {
    if (Lite::GetTagWireType(tag_) == type) return true;
    Skip();
    return false;
  }

  const absl::string_view bytes_;
  google::protobuf::io::CodedInputStream input_;
  uint32_t tag_ = 0;
  bool ok_ = true;
};

}  // namespace rls

#endif  // RLS_RPC_WIRE_READER_H_
