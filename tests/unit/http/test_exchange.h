#ifndef RLS_TESTS_UNIT_HTTP_TEST_EXCHANGE_H_
#define RLS_TESTS_UNIT_HTTP_TEST_EXCHANGE_H_

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "http/http_handler.h"

namespace rls {

// Keeps the answer.
struct TestExchange final : HttpExchange {
  TestExchange() = default;
  TestExchange(const TestExchange& other)
      : status(other.status), body(other.body), lines(other.lines) {}

  Caller& caller() override { return the_caller; }
  void Send(const HttpAnswer& answer) override {
    status = answer.status;
    body = answer.shared_body == nullptr ? std::string(answer.body)
                                         : *answer.shared_body;
    lines = absl::StrSplit(answer.headers, "\r\n", absl::SkipEmpty());
  }

  int status = 0;
  std::string body;
  std::vector<std::string> lines;
  Caller the_caller;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_HTTP_TEST_EXCHANGE_H_
