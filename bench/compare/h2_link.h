#ifndef RLS_BENCH_COMPARE_H2_LINK_H_
#define RLS_BENCH_COMPARE_H2_LINK_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "net/socket.h"

namespace rls {

// A header field with a constant name and value. nghttp2 does not copy them.
nghttp2_nv ConstantField(absl::string_view name, absl::string_view value);

// One HTTP/2 connection on a non-blocking socket. The load generator and the
// empty server share it. It is for an edge-triggered epoll: Read() reads until
// no byte is left. Write() sends all output of nghttp2, or continues at the
// next event.
class H2Link {
 public:
  // Adds `socket` to `epoll`, with `owner` as the data of its events.
  H2Link(FileDescriptor socket, int epoll, void* owner);
  H2Link(const H2Link&) = delete;
  H2Link& operator=(const H2Link&) = delete;

  // Must be the first invocation. Takes ownership of `session`. `window` is the
  // flow control window, in bytes, of each stream and of the connection.
  void Start(nghttp2_session* session, int32_t window);

  nghttp2_session* session() const { return session_.get(); }

  // False: the connection is closed. `room` is memory to read into.
  bool Read(absl::Span<uint8_t> room);
  bool Write();

 private:
  struct Delete {
    void operator()(nghttp2_session* session) const {
      nghttp2_session_del(session);
    }
  };

  const FileDescriptor socket_;
  std::unique_ptr<nghttp2_session, Delete> session_;
  std::string unsent_;
  size_t sent_ = 0;  // bytes of unsent_
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_H2_LINK_H_
