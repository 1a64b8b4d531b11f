#ifndef RLS_RPC_LEAN_FRAME_WALK_H_
#define RLS_RPC_LEAN_FRAME_WALK_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace rls {

// Finds the frames in a client's bytes, as they come, and looks at nothing
// else: nghttp2 tells nobody of the frames that it ignores.
//
// Source: RFC 9113 sections 3.4 and 4.1.
class FrameWalk {
 public:
  // Calls on_frame(uint8_t type, int32_t stream_id) for each frame whose head
  // is complete with these bytes.
  template <typename OnFrame>
  void Feed(absl::string_view bytes, const OnFrame& on_frame) {
    while (!bytes.empty()) {
      const size_t skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      bytes.remove_prefix(skipped);
      const size_t taken = std::min(kHeadBytes - have_, bytes.size());
      std::copy_n(bytes.data(), taken, head_.begin() + have_);
      have_ += taken;
      bytes.remove_prefix(taken);
      if (have_ < kHeadBytes) return;
      have_ = 0;
      skip_ = size_t{Byte(0)} << 16 | size_t{Byte(1)} << 8 | Byte(2);
      const uint32_t id = uint32_t{Byte(5)} << 24 | uint32_t{Byte(6)} << 16 |
                          uint32_t{Byte(7)} << 8 | Byte(8);
      on_frame(Byte(3), static_cast<int32_t>(id & INT32_MAX));
    }
  }

 private:
  static constexpr size_t kPrefaceBytes = 24;
  static constexpr size_t kHeadBytes = 9;

  uint8_t Byte(size_t i) const { return static_cast<uint8_t>(head_[i]); }

  size_t skip_ = kPrefaceBytes;  // until the next head
  size_t have_ = 0;              // of a head
  std::array<char, kHeadBytes> head_;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_FRAME_WALK_H_
