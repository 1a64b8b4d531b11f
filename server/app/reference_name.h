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

// Both return lines for the log. `argv` has the name of the program first.

// Warnings, one for each argument, if the first one is this name.
std::vector<std::string> IgnoredArguments(int argc, const char* const* argv);

// Under this name: that the debug port has its default address, which differs
// from that of envoyproxy/ratelimit. Under each name: the variables that
// products set for envoyproxy/ratelimit and that it does not read either.
std::vector<std::string> NotesOnReference(int argc, const char* const* argv,
                                          const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_REFERENCE_NAME_H_
