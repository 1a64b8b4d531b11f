#ifndef RLS_RPC_LEAN_STREAM_IDS_H_
#define RLS_RPC_LEAN_STREAM_IDS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace rls {

// What frames on streams that are not open mean: which of them a client that
// keeps to the protocol cannot send. It remembers the last few streams only;
// nghttp2's own memory of them would grow with the number of streams allowed.
//
// Source: RFC 9113 sections 5.1 and 5.1.1.
class StreamIds {
 public:
  void Open(int32_t id);
  // By its client, who knows of it. One that we have reset may still be used.
  void Close(int32_t id);

  int32_t last() const { return last_; }  // opened

  enum class Fault {
    kNone,     // or nothing is known of it
    kClosed,   // the client had ended it
    kSkipped,  // the client had opened a later one instead
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

#endif  // RLS_RPC_LEAN_STREAM_IDS_H_
