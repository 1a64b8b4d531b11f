#ifndef RLS_TESTS_UNIT_NET_CLIENT_SOCKET_H_
#define RLS_TESTS_UNIT_NET_CLIENT_SOCKET_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "net/socket.h"

namespace rls {

// A client's end of a connection, with blocking calls on the test's thread. It
// sends any bytes.
class ClientSocket {
 public:
  explicit ClientSocket(FileDescriptor socket) : socket_(std::move(socket)) {
    // If the server never answers, the test fails instead of hanging.
    const timeval timeout = {60, 0};
    setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  // "127.0.0.1:port" or "unix:path".
  explicit ClientSocket(absl::string_view address)
      : ClientSocket(absl::ConsumePrefix(&address, "unix:")
                         ? ConnectUnix(address)
                         : ConnectTcp(address)) {}

  // False: the server has closed the connection.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // The next bytes. "" at the end of the connection.
  std::string Receive() {
    std::string bytes(16 << 10, '\0');
    const ssize_t count = recv(fd(), bytes.data(), bytes.size(), 0);
    if (count < 0) {
      EXPECT_NE(errno, EAGAIN) << "nothing came for a minute";
    }
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }

  void HalfClose() { shutdown(fd(), SHUT_WR); }
  int fd() const { return socket_.get(); }

 private:
  static FileDescriptor ConnectTcp(absl::string_view address) {
    sockaddr_in name = {};
    uint32_t port = 0;
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<uint16_t>(port));
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FileDescriptor socket = Connect(name);
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return socket;
  }

  static FileDescriptor ConnectUnix(absl::string_view path) {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof(name.sun_path) - 1);
    return Connect(name);
  }

  template <typename Address>
  static FileDescriptor Connect(const Address& address) {
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    FileDescriptor socket(
        ::socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(socket.get(), name, sizeof(address)), 0);
    return socket;
  }

  FileDescriptor socket_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_NET_CLIENT_SOCKET_H_
