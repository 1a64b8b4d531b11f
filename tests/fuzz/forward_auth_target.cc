// The setting FORWARD_AUTH_DESCRIPTORS, and the headers and the query of a
// request to /v1/forward-auth.

#include <string>
#include <utility>
#include <vector>

#include "admin/forward_auth.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/fuzz_limiter.h"
#include "fuzz/targets.h"
#include "rpc/read_query.h"

namespace rls {
namespace {

class OneExchange final : public HttpExchange {
 public:
  Caller& caller() override { return caller_; }
  void Send(const HttpAnswer& answer) override {
    ++answers;
    status = answer.status;
    Require(status == 200 || status == 429 || status == 400 || status == 503,
            "an answer has a status of the contract");
  }

  int answers = 0;
  int status = 0;

 private:
  Caller caller_;
};

// What an HTTP parser accepts as the value of a header.
std::string HeaderValue(absl::string_view text) {
  std::string value(text);
  for (char& byte : value) {
    const auto code = static_cast<unsigned char>(byte);
    if (code < 0x20 || code == 0x7f) byte = '_';
  }
  return value;
}

void Decide(const ForwardAuth& forward_auth, FuzzLimiter& server,
            FuzzInput& input) {
  constexpr const char* kNames[] = {
      "X-User-ID", "authorization",   "X-API-Key", "X-Model",
      "X-Real-IP", "x-forwarded-for", "a",         "Other"};
  const std::string query(input.Text());
  std::vector<std::pair<const char*, std::string>> headers;
  for (size_t count = input.Below(8); count > 0; --count) {
    const char* const name = input.OneOf(kNames);
    headers.emplace_back(name, HeaderValue(input.Text()));
  }
  std::vector<HttpField> fields;
  for (const auto& [name, value] : headers) fields.push_back({name, value});
  HttpRequest request;
  request.query = query;
  request.fields = fields;
  OneExchange exchange;
  forward_auth.Decide(request, HttpReply(exchange));
  exchange.caller().Leave();
  Require(exchange.answers == 1, "a request is answered once");
  server.Pass(absl::Milliseconds(static_cast<int64_t>(input.Number(2))));
}

}  // namespace

void FuzzForwardAuth(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  FuzzLimiter server;
  constexpr const char* kDomains[] = {"degrade", "tokens", "queue", "tree",
                                      "plain"};
  ForwardAuthSettings settings;
  settings.domain = input.OneOf(kDomains);
  if (input.Bit()) settings.descriptors = std::string(input.Text());
  const auto descriptors = ParseHeaderDescriptors(settings.descriptors);
  const auto forward_auth = ForwardAuth::Make(std::move(settings), {},
                                              server.limiter(), server.clock());
  Require(descriptors.ok() == forward_auth.ok(),
          "valid descriptors make a forward-auth");
  if (!forward_auth.ok()) {
    Require(absl::IsInvalidArgument(forward_auth.status()),
            "malformed descriptors are an invalid argument");
    return;
  }
  while (!input.empty()) Decide(*forward_auth, server, input);
}

}  // namespace rls
