#ifndef RLS_RPC_ANSWER_SETTINGS_H_
#define RLS_RPC_ANSWER_SETTINGS_H_

#include <string>

namespace rls {

// What an answer carries beside the verdict itself.
struct AnswerSettings {
  bool headers = false;  // LIMIT_RESPONSE_HEADERS_ENABLED
  std::string limit_header = "RateLimit-Limit";
  std::string remaining_header = "RateLimit-Remaining";
  std::string reset_header = "RateLimit-Reset";
  bool dynamic_metadata = false;  // RESPONSE_DYNAMIC_METADATA
};

}  // namespace rls

#endif  // RLS_RPC_ANSWER_SETTINGS_H_
