#ifndef RLS_RPC_WRITE_VERDICT_H_
#define RLS_RPC_WRITE_VERDICT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "limiter/verdict.h"
#include "rpc/answer_settings.h"

namespace rls {

// Writes verdicts as serialized RateLimitResponses.
//
// Threads: Write() may be called by many threads at once.
class VerdictWriter {
 public:
  explicit VerdictWriter(AnswerSettings settings);

  // Appends to `bytes`.
  void Write(const Verdict& verdict, std::string& bytes) const;

 private:
  void WriteRest(const Verdict& verdict, std::string& bytes) const;

  const AnswerSettings settings_;
};

// True when neither may break out of an HTTP header: no CR, LF or NUL. Envoy
// passes them on as they are.
bool IsSafeHeader(absl::string_view name, absl::string_view value);

}  // namespace rls

#endif  // RLS_RPC_WRITE_VERDICT_H_
