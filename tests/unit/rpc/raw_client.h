#ifndef RLS_TESTS_UNIT_RPC_RAW_CLIENT_H_
#define RLS_TESTS_UNIT_RPC_RAW_CLIENT_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "net/socket.h"
#include "unit/rpc/lean/h2_frames.h"

namespace rls {

// A blocking connection that the thread of the test reads and writes.
class RawClient {
 public:
  // "127.0.0.1:port" or "unix:path".
  explicit RawClient(absl::string_view address) {
    if (absl::ConsumePrefix(&address, "unix:")) {
      sockaddr_un name = {};
      name.sun_family = AF_UNIX;
      address.copy(name.sun_path, sizeof(name.sun_path) - 1);
      Connect(AF_UNIX, name);
    } else {
      sockaddr_in name = {};
      uint32_t port = 0;
      EXPECT_TRUE(
          absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
      name.sin_family = AF_INET;
      name.sin_port = htons(static_cast<uint16_t>(port));
      name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      Connect(AF_INET, name);
      const int on = 1;
      setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    // If the server never answers, the test fails instead of hanging.
    const timeval timeout = {60, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout,
               sizeof(timeout));
  }

  // Returns false if the server has closed the connection.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent =
          send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Returns false at the end of the connection.
  bool Read() {
    char bytes[16 << 10];
    const ssize_t count = recv(socket_.get(), bytes, sizeof(bytes), 0);
    if (count < 0) {
      EXPECT_NE(errno, EAGAIN) << "nothing came for a minute";
    }
    if (count <= 0) return false;
    answers.Feed(absl::string_view(bytes, static_cast<size_t>(count)));
    return true;
  }

  const Response& Await(int32_t stream) {
    while (!answers.response(stream).over()) {
      if (!Read()) {
        ADD_FAILURE() << "closed before the end of stream " << stream;
        break;
      }
    }
    return answers.response(stream);
  }

  void AwaitClose() {
    while (Read()) {
    }
  }

  void HalfClose() { shutdown(socket_.get(), SHUT_WR); }

  H2Answers answers;

 private:
  template <typename Address>
  void Connect(int family, const Address& address) {
    socket_ = FileDescriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(
        connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)),
        0);
  }

  FileDescriptor socket_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_RPC_RAW_CLIENT_H_
