#ifndef RLS_APP_REFERENCE_NAME_H_
#define RLS_APP_REFERENCE_NAME_H_

#include <string>
#include <vector>

#include "config/load.h"

namespace rls {

// The rules of a process that runs under the name of envoyproxy/ratelimit.
// Products start the image as /bin/ratelimit. That program has no flags and
// ignores its arguments, so deployments with useless arguments exist.

// True if the last part of the path `program` is "ratelimit".
bool IsReferenceName(const char* program);

// Lines for the log of a process.
struct StartLines {
  std::vector<std::string> warnings;
  std::vector<std::string> notes;
};

// Under the name of envoyproxy/ratelimit: a warning for each argument, and a
// note if the debug port has its default address, which differs from that of
// envoyproxy/ratelimit. Under each name: a note on variables that products set
// for envoyproxy/ratelimit and that it does not read either. `argv` has the
// name of the program first.
StartLines LinesForTheLog(int argc, const char* const* argv,
                          const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_REFERENCE_NAME_H_
