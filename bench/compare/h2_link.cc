#include "compare/h2_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace rls {

nghttp2_nv ConstantField(absl::string_view name, absl::string_view value) {
  const auto bytes = [](absl::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

H2Link::H2Link(FileDescriptor socket, int epoll, void* owner)
    : socket_(std::move(socket)) {
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = owner;
  epoll_ctl(epoll, EPOLL_CTL_ADD, socket_.get(), &event);
}

void H2Link::Start(nghttp2_session* session, int32_t window) {
  session_.reset(session);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 4096},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(window)},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  // A server must not send SETTINGS_ENABLE_PUSH.
  const size_t count = nghttp2_session_check_server_session(session) ? 2 : 3;
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, count);
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, window);
}

bool H2Link::Read(absl::Span<uint8_t> room) {
  for (;;) {
    const ssize_t got = recv(socket_.get(), room.data(), room.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    const auto count = static_cast<size_t>(got);
    if (nghttp2_session_mem_recv(session(), room.data(), count) < 0) {
      return false;
    }
    // A short read empties the socket.
    if (count < room.size()) return true;
  }
}

bool H2Link::Write() {
  const uint8_t* bytes = nullptr;
  ssize_t size = 0;
  while ((size = nghttp2_session_mem_send(session(), &bytes)) > 0) {
    unsent_.append(reinterpret_cast<const char*>(bytes),
                   static_cast<size_t>(size));
  }
  if (size < 0) return false;
  while (sent_ < unsent_.size()) {
    const ssize_t count = send(socket_.get(), unsent_.data() + sent_,
                               unsent_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    sent_ += static_cast<size_t>(count);
  }
  unsent_.clear();
  sent_ = 0;
  return nghttp2_session_want_read(session()) != 0 ||
         nghttp2_session_want_write(session()) != 0;
}

}  // namespace rls
