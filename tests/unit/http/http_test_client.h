#ifndef RLS_TESTS_UNIT_HTTP_HTTP_TEST_CLIENT_H_
#define RLS_TESTS_UNIT_HTTP_HTTP_TEST_CLIENT_H_

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "net/socket.h"
#include "unit/net/client_socket.h"

namespace rls {

struct HttpTestAnswer {
  int status = 0;  // 0: the connection ended before the answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

// A blocking HTTP connection of the thread of the test. It sends any bytes.
class HttpTestClient {
 public:
  explicit HttpTestClient(FileDescriptor socket) : socket_(std::move(socket)) {}
  // "127.0.0.1:port"
  explicit HttpTestClient(absl::string_view address) : socket_(address) {}

  // False: the server has closed the connection.
  bool Send(absl::string_view bytes) { return socket_.Send(bytes); }

  HttpTestAnswer Ask(absl::string_view method, absl::string_view target,
                     absl::string_view headers = "",
                     absl::string_view body = "") {
    EXPECT_TRUE(Send(absl::StrCat(method, " ", target, " HTTP/1.1\r\n",
                                  "Host: x\r\n", headers, "\r\n", body)));
    return ReadAnswer(method == "HEAD");
  }
  HttpTestAnswer Get(absl::string_view target) { return Ask("GET", target); }
  HttpTestAnswer Post(absl::string_view target, absl::string_view body,
                      absl::string_view type = "application/json") {
    return Ask("POST", target,
               absl::StrCat("Content-Type: ", type,
                            "\r\nContent-Length: ", body.size(), "\r\n"),
               body);
  }

  HttpTestAnswer ReadAnswer(bool is_head = false) {
    HttpTestAnswer answer;
    size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == received_.npos) {
      if (!Read()) return answer;
    }
    const std::string head = received_.substr(0, end);
    received_.erase(0, end + 4);
    for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
      const std::pair<std::string, std::string> header =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      if (answer.headers.empty()) {
        EXPECT_TRUE(absl::SimpleAtoi(line.substr(9, 3), &answer.status));
        answer.headers[""] = std::string(line);
      } else {
        answer.headers[absl::AsciiStrToLower(header.first)] = header.second;
      }
    }
    size_t length = 0;
    if (answer.status != 100) {
      EXPECT_TRUE(absl::SimpleAtoi(answer.header("content-length"), &length))
          << head;
    }
    if (is_head) return answer;
    while (received_.size() < length && Read()) {
    }
    answer.body = received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }

  // Reads until the server closes; returns all bytes.
  std::string ReadAll() {
    while (Read()) {
    }
    return std::exchange(received_, "");
  }

  void HalfClose() { socket_.HalfClose(); }
  int fd() const { return socket_.fd(); }

 private:
  bool Read() {
    const std::string bytes = socket_.Receive();
    received_ += bytes;
    return !bytes.empty();
  }

  ClientSocket socket_;
  std::string received_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_HTTP_HTTP_TEST_CLIENT_H_
