#ifndef RLS_APP_IGNORED_VARIABLES_H_
#define RLS_APP_IGNORED_VARIABLES_H_

#include "absl/types/span.h"

namespace rls {

class EnvironmentReader;

// The values that envoyproxy/ratelimit accepts for a variable.
enum class ValueKind {
  kText,
  kBoolean,
  kInteger,
  kDuration,
  kPoolBehavior,  // any word except CREATE and ERROR
};

// A variable of envoyproxy/ratelimit without effect here.
struct IgnoredVariable {
  const char* name;
  ValueKind kind;
  const char* reason;  // the end of "NAME has no effect: "
};

// Each variable of envoyproxy/ratelimit is either in this table or read by an
// EnvironmentReader.
absl::Span<const IgnoredVariable> IgnoredVariables();

// Adds a warning for each variable of the table that is set. A value that ends
// the start of envoyproxy/ratelimit is an error here, too: it is usually a
// mistake in a manifest. Call it after all other variables are read: a variable
// that is read is not ignored.
void CheckIgnoredVariables(EnvironmentReader& reader);

}  // namespace rls

#endif  // RLS_APP_IGNORED_VARIABLES_H_
