#ifndef RLS_RPC_LEAN_CLOSED_STREAMS_H_
#define RLS_RPC_LEAN_CLOSED_STREAMS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace rls {

struct FrameHead {
  size_t length = 0;  // of the payload, in bytes
  uint8_t type = 0;
  uint8_t flags = 0;
  int32_t stream_id = 0;
  int32_t depends_on = -1;  // PRIORITY only
};

// Finds the frame headers in the bytes that a client sends. nghttp2 ignores
// frames on closed streams and PRIORITY frames without a callback, so the
// session must find them itself.
//
// Source: RFC 9113 sections 3.4 and 4.1.
class FrameWalk {
 public:
  // Invokes on_frame(const FrameHead&) for each frame whose header is complete
  // with these bytes.
  template <typename OnFrame>
  void Feed(absl::string_view bytes, const OnFrame& on_frame) {
    while (!bytes.empty()) {
      const size_t skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      bytes.remove_prefix(skipped);
      const size_t taken = std::min(need_ - have_, bytes.size());
      std::copy_n(bytes.data(), taken, head_.begin() + have_);
      have_ += taken;
      bytes.remove_prefix(taken);
      if (have_ < need_) return;
      FrameHead frame = {
          .length = size_t{Byte(0)} << 16 | size_t{Byte(1)} << 8 | Byte(2),
          .type = Byte(3),
          .flags = Byte(4),
          .stream_id = NumberAt(5)};
      const size_t read = have_ - kHeadBytes;  // of the payload
      if (frame.type == kPriority && frame.length >= kNumberBytes) {
        need_ = kHeadBytes + kNumberBytes;
        if (read == 0) continue;
        frame.depends_on = NumberAt(kHeadBytes);
      }
      skip_ = frame.length - read;
      have_ = 0;
      need_ = kHeadBytes;
      on_frame(frame);
    }
  }

 private:
  static constexpr size_t kPrefaceBytes = 24;
  static constexpr size_t kHeadBytes = 9;
  static constexpr size_t kNumberBytes = 4;
  static constexpr uint8_t kPriority = 2;

  uint8_t Byte(size_t i) const { return static_cast<uint8_t>(head_[i]); }
  // A stream's number. The first bit is reserved.
  int32_t NumberAt(size_t i) const {
    const uint32_t number = uint32_t{Byte(i)} << 24 |
                            uint32_t{Byte(i + 1)} << 16 |
                            uint32_t{Byte(i + 2)} << 8 | Byte(i + 3);
    return static_cast<int32_t>(number & INT32_MAX);
  }

  size_t skip_ = kPrefaceBytes;  // bytes until the next frame header
  size_t have_ = 0;              // bytes of the current frame header
  size_t need_ = kHeadBytes;     // with a number after it: PRIORITY
  std::array<char, kHeadBytes + kNumberBytes> head_;
};

// The streams of a connection on which the client must not send any more. A
// frame on such a stream is a protocol error of the client. Remembers only the
// last 64 closed streams, in constant memory: the memory of nghttp2 for closed
// streams would grow with the number of allowed streams.
//
// Source: RFC 9113 sections 5.1 and 5.1.1.
class ClosedStreams {
 public:
  void Open(int32_t id);
  // The client closed the stream. Not for a stream that the server has reset:
  // frames on it may still be on their way.
  void Close(int32_t id);

  int32_t last() const { return last_; }  // the last opened stream

  enum class Fault {
    kNone,     // the stream is allowed, or no longer remembered
    kClosed,   // the client had closed the stream
    kSkipped,  // the client had opened a stream with a higher number instead
  };
  Fault FaultOf(int32_t id) const;

 private:
  static constexpr size_t kRemembered = 64;

  int32_t last_ = -1;
  int32_t first_skipped_ = 0;
  int32_t last_skipped_ = 0;
  int32_t highest_closed_ = 0;
  std::array<int32_t, kRemembered> closed_ = {};  // a ring
  size_t next_ = 0;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CLOSED_STREAMS_H_
