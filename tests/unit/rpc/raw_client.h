#ifndef RLS_TESTS_UNIT_RPC_RAW_CLIENT_H_
#define RLS_TESTS_UNIT_RPC_RAW_CLIENT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "unit/net/client_socket.h"
#include "unit/rpc/lean/h2_frames.h"

namespace rls {

// A blocking connection that the thread of the test reads and writes.
class RawClient {
 public:
  // "127.0.0.1:port" or "unix:path".
  explicit RawClient(absl::string_view address) : socket_(address) {}

  // Returns false if the server has closed the connection.
  bool Send(absl::string_view bytes) { return socket_.Send(bytes); }

  // Returns false at the end of the connection.
  bool Read() {
    const std::string bytes = socket_.Receive();
    if (bytes.empty()) return false;
    answers.Feed(bytes);
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

  void HalfClose() { socket_.HalfClose(); }

  H2Answers answers;

 private:
  ClientSocket socket_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_RPC_RAW_CLIENT_H_
