#ifndef RLS_TESTS_FUZZ_H2_SESSION_TARGET_H_
#define RLS_TESTS_FUZZ_H2_SESSION_TARGET_H_

#include "absl/strings/string_view.h"

namespace rls {

// Has a session read what a client may send, and take all that it answers. The
// first byte of `input` says in what portions it comes and what the handler
// begins with; the rest is the connection's. Aborts when a call is lost.
void FeedH2Session(absl::string_view input);

}  // namespace rls

#endif  // RLS_TESTS_FUZZ_H2_SESSION_TARGET_H_
