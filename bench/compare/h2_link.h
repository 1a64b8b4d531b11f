#ifndef RLS_BENCH_COMPARE_H2_LINK_H_
#define RLS_BENCH_COMPARE_H2_LINK_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "net/file_descriptor.h"

namespace rls {

// A header field of constants.
nghttp2_nv ConstantField(absl::string_view name, absl::string_view value);

// One HTTP/2 connection on a socket that does not block: what the load
// generator and the empty server have in common. For an epoll that tells of
// changes only: Read() takes all that has come, and Write() sends all that
// nghttp2 has to say, or else goes on at the next event.
class H2Link {
 public:
  // Watches `socket` by `epoll`; its events come with `owner`.
  H2Link(FileDescriptor socket, int epoll, void* owner);
  H2Link(const H2Link&) = delete;
  H2Link& operator=(const H2Link&) = delete;

  // Before anything else; takes it. `window` is how many bytes the peer may
  // send ahead, on a stream and on all of them.
  void Start(nghttp2_session* session, int32_t window);

  nghttp2_session* session() const { return session_.get(); }

  // False: the connection is over. `room` is memory to read into.
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
  size_t sent_ = 0;  // of unsent_
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_H2_LINK_H_
