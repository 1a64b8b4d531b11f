#ifndef RLS_RPC_WRITE_VERDICT_H_
#define RLS_RPC_WRITE_VERDICT_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "limiter/verdict.h"
#include "rpc/answer_settings.h"

namespace rls {

// Writes verdicts as serialized RateLimitResponses.
//
// Threads: Write() may be called by many threads at once.
class VerdictWriter {
 public:
  explicit VerdictWriter(AnswerSettings settings);

  std::string Write(const Verdict& verdict);

 private:
  void WriteRest(const Verdict& verdict, std::string& bytes);

  // {"status": 429, "message": "..."}. Kept by message: they come from the
  // configuration, are few, and a flood of refusals asks for the same one.
  std::string BodyOf(const std::string& message);

  const AnswerSettings settings_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::string> bodies_ ABSL_GUARDED_BY(mutex_);
};

// True when neither may break out of an HTTP header: no CR, LF or NUL. Envoy
// passes them on as they are.
bool IsSafeHeader(absl::string_view name, absl::string_view value);

}  // namespace rls

#endif  // RLS_RPC_WRITE_VERDICT_H_
