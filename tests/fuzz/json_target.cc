// Requests in JSON, through the limiter, to answers in JSON.

#include <string>

#include "fuzz/fuzz_input.h"
#include "fuzz/fuzz_limiter.h"
#include "fuzz/targets.h"
#include "rpc/json.h"
#include "rpc/read_query.h"

namespace rls {

void FuzzJson(const uint8_t* bytes, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  JsonRequest request;
  const absl::Status read = request.Read(text);
  if (!read.ok()) {
    Require(absl::IsInvalidArgument(read),
            "a malformed request is an invalid argument");
    return;
  }
  Require(CheckQuery(request.query()).ok(), "a request is within its bounds");
  FuzzLimiter server;
  JsonResponse response;
  absl::Status status;
  int answers = 0;
  server.limiter().Check(
      request.query(), [&](absl::StatusOr<const Verdict*> verdict) {
        ++answers;
        status = verdict.status();
        if (!verdict.ok()) return;
        response.Set({.headers = true, .dynamic_metadata = true}, **verdict);
      });
  Require(answers == 1, "a request without a caller is answered at once");
  Require(!status.ok() || response.Text().ok(), "an answer is JSON");
}

}  // namespace rls
