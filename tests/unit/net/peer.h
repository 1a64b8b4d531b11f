#ifndef RLS_TESTS_UNIT_NET_PEER_H_
#define RLS_TESTS_UNIT_NET_PEER_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "net/endpoint.h"
#include "net/resolver.h"
#include "net/socket.h"
#include "net/stream.h"

namespace rls {

// A server's end of a connection, with blocking calls on the test's thread.
class Peer {
 public:
  explicit Peer(int fd) : socket_(fd) {}

  void Send(const std::string& bytes) {
    ASSERT_EQ(send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  // The bytes received so far, without waiting.
  std::string Received() {
    std::string bytes(1 << 20, '\0');
    const ssize_t count = recv(fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }

  void HalfClose() { shutdown(fd(), SHUT_WR); }

  // Ends the connection with a reset instead of an orderly close.
  void Reset() {
    const linger at_once = {1, 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    socket_ = FileDescriptor();
  }

  int fd() const { return socket_.get(); }

 private:
  FileDescriptor socket_;
};

// A socket on a free port of 127.0.0.1.
class Listener {
 public:
  Listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        bind(socket_.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
  }

  // Before Listen() the port is bound, but refuses connections.
  Listener& Listen(int backlog = 16) {
    EXPECT_EQ(listen(socket_.get(), backlog), 0);
    return *this;
  }

  // Ends an Accept() that waits, with an invalid Peer.
  void Shutdown() { shutdown(socket_.get(), SHUT_RDWR); }

  Peer Accept() { return Peer(accept(socket_.get(), nullptr, nullptr)); }

  SocketAddress address() const {
    SocketAddress address;
    address.length = sizeof(address.storage);
    getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address.storage),
                &address.length);
    return address;
  }

  Endpoint endpoint() const {
    sockaddr_in here = {};
    const SocketAddress from = address();
    std::memcpy(&here, &from.storage, sizeof(here));
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = ntohs(here.sin_port);
    return endpoint;
  }

 private:
  FileDescriptor socket_;
};

// A listener with a full queue: it neither accepts nor refuses.
class SilentListener {
 public:
  SilentListener() {
    const SocketAddress to = listener_.Listen(0).address();
    for (bool full = false; !full;) {
      const FileDescriptor& filler = fillers_.emplace_back(
          socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      EXPECT_TRUE(connect(filler.get(),
                          reinterpret_cast<const sockaddr*>(&to.storage),
                          to.length) == 0 ||
                  errno == EINPROGRESS);
      pollfd connected = {filler.get(), POLLOUT, 0};
      full = poll(&connected, 1, 100) == 0;
    }
  }

  SocketAddress address() const { return listener_.address(); }
  Endpoint endpoint() const { return listener_.endpoint(); }

 private:
  Listener listener_;
  std::vector<FileDescriptor> fillers_;
};

// A listening Unix socket.
class UnixListener {
 public:
  explicit UnixListener(const std::string& path)
      : path_(path), socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof(address)),
              0);
    EXPECT_EQ(listen(socket_.get(), 16), 0);
  }

  Peer Accept() { return Peer(accept(socket_.get(), nullptr, nullptr)); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  FileDescriptor socket_;
};

// Records the callbacks of a stream.
struct Recorder : StreamHandler {
  void OnConnected() override { ++connected; }
  void OnBytes(absl::string_view more) override {
    bytes.append(more.data(), more.size());
  }
  void OnClosed(const absl::Status& status) override {
    ++closed;
    why = status;
  }

  int connected = 0;
  int closed = 0;
  std::string bytes;
  absl::Status why;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_NET_PEER_H_
