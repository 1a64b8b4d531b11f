#ifndef RLS_TESTS_FUZZ_H2_SESSION_TARGET_H_
#define RLS_TESTS_FUZZ_H2_SESSION_TARGET_H_

#include "absl/strings/string_view.h"

namespace rls {

// Feeds `input` to a session and reads all output. The first byte of `input`
// selects the size of the reads and the first action of the handler. The other
// bytes are the bytes of the connection. Aborts if a call is lost.
void FeedH2Session(absl::string_view input);

}  // namespace rls

#endif  // RLS_TESTS_FUZZ_H2_SESSION_TARGET_H_
